//! A small API: `/items` gives records with rising times, `/sliced` those of a day or so, `/broken` refuses.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};

/// Items of a day of `/sliced`: one a minute.
pub(super) const PER_DAY: usize = 1440;

/// The API, for as long as the test runs.
pub(super) struct Api {
    pub(super) port: u16,
    items: Arc<AtomicUsize>,
    changed: Arc<AtomicUsize>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Api {
    /// With so many items: numbers from 1 on, each a day of 2024 later than the one before.
    pub(super) fn with(items: usize) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (items, asked) = (Arc::new(AtomicUsize::new(items)), Arc::<Mutex<Vec<String>>>::default());
        let changed = Arc::<AtomicUsize>::default();
        let (known, other, seen) = (Arc::clone(&items), Arc::clone(&changed), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (known, other, seen) = (Arc::clone(&known), Arc::clone(&other), Arc::clone(&seen));
                std::thread::spawn(move || answer(stream, &known, &other, &seen));
            }
        });
        Self { port, items, changed, asked }
    }

    pub(super) fn set_items(&self, items: usize) {
        self.items.store(items, Ordering::SeqCst);
    }

    /// Gives that item another note.
    pub(super) fn change(&self, number: usize) {
        self.changed.store(number, Ordering::SeqCst);
    }

    /// The paths that were asked for since the last look.
    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().expect("no test panics in it"))
    }

    /// A manifest of it: `items` incremental, `plain` not, `broken` refused; and more streams like `plain`.
    pub(super) fn manifest(&self, more: usize) -> String {
        let port = self.port;
        let mut text = format!(
            "version: 6.0.0
type: DeclarativeSource
check: {{type: CheckStream, stream_names: [plain]}}
definitions:
  stream:
    type: DeclarativeStream
    primary_key: id
    schema_loader:
      type: InlineSchemaLoader
      schema:
        type: object
        properties:
          id: {{type: integer}}
          updated_at: {{type: string, format: date-time}}
          note: {{type: [\"null\", string]}}
    retriever:
      type: SimpleRetriever
      requester:
        type: HttpRequester
        url_base: http://127.0.0.1:{port}
        path: \"/{{{{ parameters['path'] }}}}\"
        authenticator: {{type: BearerAuthenticator, api_token: \"{{{{ config['token'] }}}}\"}}
        request_parameters:
          since: \"{{{{ stream_interval.start_time if stream_interval else '' }}}}\"
          until: \"{{{{ stream_interval.end_time if parameters.get('ends') else '' }}}}\"
      record_selector: {{type: RecordSelector, extractor: {{type: DpathExtractor, field_path: [items]}}}}
streams:
  - $ref: '#/definitions/stream'
    name: items
    $parameters: {{path: items}}
    incremental_sync:
      type: DatetimeBasedCursor
      cursor_field: updated_at
      datetime_format: '%Y-%m-%dT%H:%M:%SZ'
      start_datetime: '2024-01-01T00:00:00Z'
      end_datetime: '{{{{ now_utc().strftime(\"%Y-%m-%dT%H:%M:%SZ\") }}}}'
  - $ref: '#/definitions/stream'
    name: sliced
    $parameters: {{path: sliced, ends: true}}
    incremental_sync:
      type: DatetimeBasedCursor
      cursor_field: updated_at
      datetime_format: '%Y-%m-%dT%H:%M:%SZ'
      start_datetime: '2024-01-01T00:00:00Z'
      end_datetime: '{{{{ now_utc().strftime(\"%Y-%m-%dT%H:%M:%SZ\") }}}}'
      step: P1D
      cursor_granularity: PT1S
  - {{$ref: '#/definitions/stream', name: plain, $parameters: {{path: items}}}}
  - {{$ref: '#/definitions/stream', name: broken, $parameters: {{path: broken}}}}
spec:
  type: Spec
  connection_specification:
    type: object
    required: [token]
    properties: {{token: {{type: string, airbyte_secret: true}}}}
"
        );
        let streams: Vec<String> = (0..more)
            .map(|number| {
                format!("  - {{$ref: '#/definitions/stream', name: more_{number}, $parameters: {{path: items}}}}\n")
            })
            .collect();
        let streams = streams.concat();
        text = text.replace("spec:\n", &format!("{streams}spec:\n"));
        text
    }
}

fn answer(stream: TcpStream, items: &AtomicUsize, changed: &AtomicUsize, asked: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a socket can be shared"));
    let mut stream = stream;
    loop {
        let (mut first, mut line) = (String::new(), String::new());
        if reader.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        while reader.read_line(&mut line).unwrap_or(0) > 2 {
            line.clear();
        }
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let since = path.split_once("since=").map_or("", |(_, since)| since).replace("%3A", ":");
        let (status, body) = if path.starts_with("/broken") {
            ("403 Forbidden", r#"{"error":"not with s3cret-token"}"#.to_owned())
        } else if path.starts_with("/sliced") {
            ("200 OK", sliced(&path, items.load(Ordering::SeqCst)))
        } else {
            let record = |number: usize| {
                let at = format!("2024-{:02}-{:02}T00:00:00Z", 1 + (number - 1) / 28, 1 + (number - 1) % 28);
                let note = if changed.load(Ordering::SeqCst) == number { "\"changed\"" } else { "null" };
                let record = format!("{{\"id\": {number},\n \"updated_at\": \"{at}\", \"note\": {note}}}");
                (at >= since).then_some(record)
            };
            let records: Vec<String> = (1..=items.load(Ordering::SeqCst)).filter_map(record).collect();
            ("200 OK", format!("{{\"items\": [{}]}}", records.join(", ")))
        };
        asked.lock().expect("no test panics in it").push(path);
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        if stream.write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

/// The items between the bounds in `path`, both included.
fn sliced(path: &str, items: usize) -> String {
    let first: DateTime<Utc> = "2024-01-01T00:00:00Z".parse().expect("it is a time");
    let bound = |key: &str| -> i64 {
        let text = path.split(['?', '&']).find_map(|pair| pair.strip_prefix(key)).unwrap_or_default();
        let time: DateTime<Utc> = text.replace("%3A", ":").parse().expect("a bound is a time");
        (time - first).num_seconds()
    };
    // Item 1 is of the first minute, 2 of the second.
    let from = usize::try_from((bound("since=") + 59).div_euclid(60)).unwrap_or(0) + 1;
    let to = usize::try_from(bound("until=").div_euclid(60) + 1).unwrap_or(0).min(items);
    let record = |number: usize| {
        let at = first + TimeDelta::minutes(i64::try_from(number).expect("it is small") - 1);
        let note = format!("{number:0100}");
        format!(r#"{{"id":{number},"updated_at":"{}","note":"{note}"}}"#, at.format("%Y-%m-%dT%H:%M:%SZ"))
    };
    let records: Vec<String> = (from..=to).map(record).collect();
    format!("{{\"items\": [{}]}}", records.join(","))
}
