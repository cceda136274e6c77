//! `tidegate airbyte`: the options of Airbyte's protocol, named as `source-declarative-manifest` names them.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

/// Speak Airbyte's protocol: run a manifest, or any source, where an Airbyte source is expected
///
/// Takes the options of Airbyte's `source-declarative-manifest` and prints its messages, a JSON document per line.
/// `--config` is Airbyte's configuration (a JSON file); with `--source` it is tidegate's.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  tidegate airbyte spec --manifest-path manifest.yaml
  tidegate airbyte check --manifest-path manifest.yaml --config config.json
  tidegate airbyte discover --manifest-path manifest.yaml --config config.json
  tidegate airbyte read --manifest-path manifest.yaml --config config.json --catalog catalog.json --state state.json
  tidegate airbyte read --source shop --catalog catalog.json       a source of tidegate.yaml
  tidegate airbyte spec --connector postgres                       any of tidegate's sources, with its
  tidegate airbyte check --connector postgres --config pg.json     settings as Airbyte's configuration")]
pub(crate) enum Airbyte {
    /// Print what can be configured
    Spec(AirbyteSource),
    /// Prove that the configuration works
    Check(AirbyteSource),
    /// Print the streams there are
    Discover(AirbyteSource),
    /// Read the streams of a catalog from a state on
    Read(AirbyteRead),
}

/// What is run.
#[derive(Debug, Clone, Args)]
pub(crate) struct AirbyteSource {
    /// The manifest. Without it the configuration has one at `__injected_declarative_manifest`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) manifest_path: Option<PathBuf>,
    /// Python components of the manifest: taken, and not run. Streams that need them fail
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) components_path: Option<PathBuf>,
    /// A source of tidegate's configuration instead of a manifest
    #[arg(long, value_name = "NAME", conflicts_with_all = ["manifest_path", "connector"])]
    pub(crate) source: Option<String>,
    /// A connector of tidegate's instead of a manifest; the configuration holds its settings
    #[arg(long, value_name = "NAME", conflicts_with = "manifest_path")]
    pub(crate) connector: Option<String>,
    /// Log more
    #[arg(long)]
    pub(crate) debug: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AirbyteRead {
    #[command(flatten)]
    pub(crate) source: AirbyteSource,
    /// Which streams to read: Airbyte's configured catalog
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) catalog: PathBuf,
    /// Where to go on: the states that earlier reads printed
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) state: Option<PathBuf>,
}

impl Airbyte {
    /// What is run.
    pub(crate) fn source(&self) -> &AirbyteSource {
        match self {
            Self::Spec(source) | Self::Check(source) | Self::Discover(source) => source,
            Self::Read(read) => &read.source,
        }
    }
}

impl AirbyteSource {
    /// Whether a manifest is run, not a source of tidegate's.
    pub(crate) fn is_manifest(&self) -> bool {
        self.source.is_none() && self.connector.is_none()
    }
}
