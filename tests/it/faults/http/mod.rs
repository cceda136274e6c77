//! APIs that do what they should not, read by a manifest with `tidegate airbyte read`: of each the records, the exit
//! code, what is said, how often was asked, and that no credential is shown.

mod body;
mod crowd;
mod cursor;
mod listing;
mod refusal;
mod server;
mod status;
mod torn;

use std::fmt::Write as _;
use std::process::Command;

use serde_json::{Value, json};

use crate::cli::run::{Place, Ran};

use server::{Asked, Reply, Server};

/// In every request, and in nothing that is shown.
const TOKEN: &str = "canary-5b1f";

/// An API and a manifest of it.
struct Case {
    server: Server,
    place: Place,
}

/// What a read came to.
struct Read {
    code: i32,
    records: Vec<Value>,
    states: Vec<Value>,
    /// Traces, logs and stderr.
    said: String,
    /// Why streams failed: the kinds.
    kinds: Vec<String>,
}

/// `paginator` of a listing whose pages hold the token of the next one in `next`.
const BY_TOKEN: &str = "      paginator:
        type: DefaultPaginator
        page_token_option: {type: RequestOption, inject_into: request_parameter, field_name: page}
        pagination_strategy:
          type: CursorPagination
          cursor_value: \"{{ response.get('next') }}\"
          stop_condition: \"{{ not response.get('next') }}\"
";

impl Case {
    /// A stream `items` of `/items`, whose records are in `items`, with more lines of its retriever.
    fn with(retriever: &str, script: impl Fn(usize, &Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::of(&stream("items", retriever, ""), script)
    }

    /// These streams.
    fn of(streams: &str, script: impl Fn(usize, &Asked) -> Reply + Send + Sync + 'static) -> Self {
        let server = Server::start(script);
        let text = format!(
            "version: 6.0.0
type: DeclarativeSource
check: {{type: CheckStream, stream_names: [items]}}
streams:
{streams}
spec:
  type: Spec
  connection_specification:
    type: object
    properties: {{token: {{type: string, airbyte_secret: true}}}}
"
        );
        let place = Place::new().set("TIDEGATE_WAITS", "0");
        place.write("manifest.yaml", &text.replace("PORT", &server.port.to_string()));
        place.write("config.json", &json!({ "token": TOKEN }).to_string());
        Self { server, place }
    }

    /// Changes the manifest.
    fn change(self, from: &str, to: &str) -> Self {
        let text = self.place.read("manifest.yaml");
        assert!(text.contains(from), "no {from:?} in {text}");
        self.place.write("manifest.yaml", &text.replace(from, to));
        self
    }

    /// Reads the stream `items` whole.
    fn read(&self) -> Read {
        self.read_streams(&["items"], None)
    }

    /// Reads these streams, incrementally, from `state`.
    fn read_streams(&self, names: &[&str], state: Option<&Value>) -> Read {
        let mut command = self.command(names);
        if let Some(state) = state {
            self.place.write("state.json", &state.to_string());
            command.args(["--state", "state.json"]);
        }
        Read::of(&command.output().expect("the binary is built").into())
    }

    /// The command that reads these streams, incrementally.
    fn command(&self, names: &[&str]) -> Command {
        let streams: Vec<Value> = names
            .iter()
            .map(|name| {
                let modes = ["full_refresh", "incremental"];
                json!({
                    "stream": {"name": name, "json_schema": {}, "supported_sync_modes": modes},
                    "sync_mode": "incremental", "destination_sync_mode": "append",
                })
            })
            .collect();
        self.place.write("catalog.json", &json!({ "streams": streams }).to_string());
        let manifest = ["airbyte", "read", "--manifest-path", "manifest.yaml"];
        let mut command = self.place.command(&manifest);
        command.args(["--config", "config.json", "--catalog", "catalog.json"]);
        command
    }

    /// A configuration of tidegate's beside it, which reads `items` into Parquet; with more lines of its source.
    fn configure(&self, source: &str) {
        self.place.write(
            "tidegate.yaml",
            &format!(
                "sources:
  api:
    type: manifest
    path: ./manifest.yaml
    config_file: ./config.json
{source}
destinations:
  lake: {{type: parquet, url: ./lake}}
connections:
  api_to_lake:
    source: api
    destination: lake
    streams: [{{name: items}}]
"
            ),
        );
    }

    /// Asked so often.
    fn asked(&self) -> usize {
        self.server.asked().len()
    }
}

/// A stream of a manifest, with more lines of its retriever and of its own.
fn stream(name: &str, retriever: &str, more: &str) -> String {
    format!(
        "  - type: DeclarativeStream
    name: {name}
    primary_key: id
    schema_loader:
      type: InlineSchemaLoader
      schema: {{type: object, properties: {{id: {{type: integer}}}}}}
    retriever:
      type: SimpleRetriever
      requester:
        type: HttpRequester
        url_base: http://127.0.0.1:PORT
        path: /{name}
        authenticator: {{type: BearerAuthenticator, api_token: \"{{{{ config['token'] }}}}\"}}
      record_selector: {{type: RecordSelector, extractor: {{type: DpathExtractor, field_path: [items]}}}}
{retriever}{more}"
    )
}

impl Read {
    fn of(ran: &Ran) -> Self {
        assert!(!ran.stdout.contains(TOKEN) && !ran.stderr.contains(TOKEN), "{}{}", ran.stdout, ran.stderr);
        let mut read = Self {
            code: ran.code,
            records: Vec::new(),
            states: Vec::new(),
            said: ran.stderr.clone(),
            kinds: Vec::new(),
        };
        for line in ran.stdout.lines() {
            // Numbers without a bound are kept as they are written.
            let message: Value =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
            match message["type"].as_str().unwrap_or_default() {
                "RECORD" => read.records.push(message["record"]["data"].clone()),
                "STATE" => read.states.push(message["state"].clone()),
                "TRACE" => {
                    if let Some(kind) = message["trace"]["error"]["failure_type"].as_str() {
                        read.kinds.push(kind.to_owned());
                    }
                    let _ = writeln!(read.said, "{}", message["trace"]);
                }
                _ => {
                    let _ = writeln!(read.said, "{message}");
                }
            }
        }
        read
    }

    /// The `id` of all records.
    fn ids(&self) -> Vec<u64> {
        self.records.iter().map(|record| record["id"].as_u64().expect("an id")).collect()
    }

    /// It has read these, in this order, and all is well.
    #[track_caller]
    fn gives(self, ids: impl IntoIterator<Item = u64>) -> Self {
        assert_eq!(self.code, 0, "{}", self.said);
        assert_eq!(self.ids(), ids.into_iter().collect::<Vec<_>>(), "{}", self.said);
        self
    }

    /// It has failed and says so; nothing claims to be complete.
    #[track_caller]
    fn fails(self, text: &str) -> Self {
        assert_eq!(self.code, 1, "{}", self.said);
        assert!(self.said.contains(text), "no {text:?} in\n{}", self.said);
        assert!(self.said.contains("INCOMPLETE") && !self.said.contains("\"COMPLETE\""), "{}", self.said);
        self
    }
}
