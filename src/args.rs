//! The command line: one struct per verb.

mod airbyte;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use engine::Part;
use protocol::ByteSize;

pub(crate) use airbyte::{Airbyte, AirbyteRead, AirbyteSource};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const EXAMPLES: &str = "\
Examples:
  tidegate init                       write an example tidegate.yaml
  tidegate check                      can everything be reached, and is it allowed?
  tidegate discover --source shop     what is there to sync
  tidegate sync                       sync the only connection
  tidegate sync shop --output json    the same for a scheduler: one JSON report on stdout
  tidegate verify                     is what is committed what was written?

Exit codes: 0 done · 64 usage · 65 data or schema · 70 bug · 74 storage · 75 try again later ·
77 access refused · 78 configuration · 130 interrupted";

/// Moves what is new from databases and APIs into Parquet files: no row lost, none doubled.
#[derive(Debug, Parser)]
#[command(name = "tidegate", styles = STYLES, after_help = EXAMPLES)]
#[command(disable_version_flag = true, disable_help_subcommand = true, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Print the version and facts about the build
    #[arg(short = 'V', long)]
    pub(crate) version: bool,

    #[command(flatten)]
    pub(crate) global: Global,

    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
}

/// What every verb understands.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The configuration: a file, or a folder with `sources`, `destinations` and `connections`
    /// [default: tidegate.yaml]
    #[arg(short, long, global = true, value_name = "PATH", env = "TIDEGATE_CONFIG", hide_env_values = true)]
    #[arg(value_hint = ValueHint::AnyPath)]
    pub(crate) config: Option<PathBuf>,

    /// Form of the result on stdout: for people, or exactly one JSON document
    #[arg(short, long, global = true, value_name = "FORM", value_enum, default_value_t = Format::Text)]
    pub(crate) output: Format,

    /// Form of the log on stderr: for people, or one JSON document per line
    #[arg(long, global = true, value_name = "FORM", value_enum, default_value_t = Format::Text)]
    pub(crate) log_format: Format,

    /// What to log: `debug`, or `warn,connectors=trace`
    #[arg(long, global = true, value_name = "FILTER", env = "TIDEGATE_LOG", hide_env_values = true)]
    pub(crate) log: Option<String>,

    /// Log more; twice for all
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    pub(crate) verbose: u8,

    /// Log errors only, and show no progress
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,

    /// The time that API sources go by instead of the machine's, for tests, replays and backfills:
    /// `2026-11-23T10:00:00Z`
    #[arg(long, global = true, value_name = "TIME", env = "TIDEGATE_NOW", hide_env_values = true)]
    #[arg(value_parser = instant)]
    pub(crate) now: Option<DateTime<Utc>>,
}

/// A time as people write it; a date is its first moment in UTC.
fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    let date = || text.parse::<NaiveDate>().map(|date| date.and_time(NaiveTime::MIN).and_utc());
    text.parse().or_else(|_| date()).map_err(|_| "write it as 2026-11-23T10:00:00Z or 2026-11-23".to_owned())
}

/// How something is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Init(Init),
    Check(Check),
    Discover(Discover),
    Plan(Plan),
    Sync(Sync),
    Read(Read),
    Commit(Commit),
    Verify(Verify),
    Reconcile(Reconcile),
    Bench(Bench),
    #[command(subcommand)]
    State(State),
    #[command(subcommand)]
    Airbyte(Airbyte),
    Spec(Spec),
    Schema(Schema),
    Completions(Completions),
}

/// Write a commented example configuration, and its schema for editors
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The file to write
    #[arg(default_value = crate::config::DEFAULT_FILE, value_hint = ValueHint::FilePath)]
    pub(crate) path: PathBuf,
    /// Overwrite what is there
    #[arg(long)]
    pub(crate) force: bool,
}

/// Prove that everything can be reached and is allowed; change nothing that lasts
///
/// Checks a connection with its source, its destination and its streams, or all of them.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The connection to check; all of them unless given
    #[arg(conflicts_with_all = ["source", "destination"])]
    pub(crate) connection: Option<String>,
    /// Check this source alone
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Option<String>,
    /// Check this destination alone
    #[arg(long, value_name = "NAME")]
    pub(crate) destination: Option<String>,
}

/// List what a source offers: streams, sizes, keys and columns that can serve as cursor
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tidegate discover shop                     all streams of the connection's source
  tidegate discover shop 'public.*'          those of one schema
  tidegate discover shop public.orders       the columns of one stream
  tidegate discover --source shopdb -o json  for programs, with Arrow schemas")]
pub(crate) struct Discover {
    /// The connection whose source is looked at; may be left out where there is only one
    pub(crate) connection: Option<String>,
    /// Streams to list; `*` stands for any run of characters
    #[arg(value_name = "PATTERN")]
    pub(crate) patterns: Vec<String>,
    /// Look at this source; all values are patterns then
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Option<String>,
    /// List the columns of each stream
    #[arg(long)]
    pub(crate) columns: bool,
}

/// Show what a sync would read, or write it down for `read` and `commit`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tidegate plan shop                      what would be read
  tidegate plan shop --out plan.json      the same as a file, to be read anywhere:
  tidegate read --plan plan.json --stream public.orders --partition 0 > 0.json
  tidegate commit --plan plan.json 0.json")]
pub(crate) struct Plan {
    /// The connection; may be left out where there is only one
    pub(crate) connection: Option<String>,
    #[command(flatten)]
    pub(crate) streams: Streams,
    /// Write the plan to this file, as JSON
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) out: Option<PathBuf>,
}

/// Which streams of a connection.
#[derive(Debug, Clone, Args)]
pub(crate) struct Streams {
    /// Only streams of this name; `*` stands for any run of characters. May be repeated
    #[arg(long = "stream", short = 's', value_name = "PATTERN")]
    pub(crate) patterns: Vec<String>,
}

/// Read what is new and commit it
///
/// Running it again is always safe: what is committed is not read again, and two runs at once
/// can't hurt each other. SIGINT or SIGTERM ends it with what is complete committed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tidegate sync                              the only connection
  tidegate sync shop --stream 'public.*'     some of its streams
  tidegate sync shop --dry-run               plan only
  tidegate sync shop --sweep                 also rows that were written with old cursor values
  tidegate sync shop --memory 64MiB          in a small container
  tidegate sync shop -o json --log-format json   for a scheduler")]
pub(crate) struct Sync {
    /// The connection; may be left out where there is only one
    pub(crate) connection: Option<String>,
    #[command(flatten)]
    pub(crate) streams: Streams,
    /// Plan, show the plan, and stop
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Look at all rows for what is new, and not only where the cursors say: finds rows that were
    /// written with old values
    #[arg(long)]
    pub(crate) sweep: bool,
    /// Most memory for all buffers, instead of the connection's `memory`
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<ByteSize>,
}

/// Read one partition of a plan and stage its files; print what `commit` takes
#[derive(Debug, Args)]
pub(crate) struct Read {
    /// The file that `plan --out` wrote, or `-` for stdin
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) plan: PathBuf,
    /// The stream; may be left out where the plan has only one
    #[arg(long, short, value_name = "NAME")]
    pub(crate) stream: Option<String>,
    /// Which partition of the stream, counted from 0
    #[arg(long, short, value_name = "N")]
    pub(crate) partition: usize,
}

/// Commit what reads of a plan have staged
#[derive(Debug, Args)]
pub(crate) struct Commit {
    /// The file that `plan --out` wrote
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) plan: PathBuf,
    /// What `read` printed, a file for each partition, or `-` for stdin
    #[arg(required = true, value_name = "STAGED", value_hint = ValueHint::FilePath)]
    pub(crate) staged: Vec<PathBuf>,
}

/// Compare source and destination row by row: find what was deleted, and what is missing or differs
///
/// Reads the source in one snapshot and what is committed, and compares them by key. Rows that changed
/// since the last sync are pending, not wrong. Exits with 65 where rows are wrong.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tidegate reconcile shop                          keys, and the values of cursor and `soft_delete`
  tidegate reconcile shop --columns all            every column
  tidegate reconcile shop --apply                  mark what was deleted at the source as deleted
  tidegate reconcile shop -s public.orders --show-keys 20   name some of the rows")]
pub(crate) struct Reconcile {
    /// The connection; may be left out where there is only one
    pub(crate) connection: Option<String>,
    #[command(flatten)]
    pub(crate) streams: Streams,
    /// What is compared of each row
    #[arg(long, value_name = "WHICH", value_enum, default_value_t = Columns::Key)]
    pub(crate) columns: Columns,
    /// Commit a tombstone for each row that was deleted at the source
    #[arg(long)]
    pub(crate) apply: bool,
    /// Do so also where most rows of a stream are gone, as behind a wrong address
    #[arg(long, requires = "apply")]
    pub(crate) force: bool,
    /// Show up to so many keys of each kind. They are values of rows
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) show_keys: usize,
    /// Most memory for all buffers, instead of the connection's `memory`
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<ByteSize>,
}

/// What is compared of each row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Columns {
    /// Key, cursor and `soft_delete`
    Key,
    /// Every column
    All,
}

/// Read back what is committed and compare it with what was written
///
/// Every commit, every file and every row: a flipped bit, a lost or exchanged file and one too many
/// are found and named, and the exit code is 65. Nothing is changed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tidegate verify                            all streams of the only connection
  tidegate verify shop --stream 'public.*'   some of its streams
  tidegate verify shop --source              full refreshes also against the source as it is now")]
pub(crate) struct Verify {
    /// The connection; may be left out where there is only one
    pub(crate) connection: Option<String>,
    #[command(flatten)]
    pub(crate) streams: Streams,
    /// Read full refreshes once more from the source, and compare
    #[arg(long)]
    pub(crate) source: bool,
}

/// Measure what each part of a sync takes, and say which is the wall and what to turn
///
/// Reads the stream several times: drained, decoded, encoded into nothing, and as a sync does, up to the commit,
/// which is left out. Files are staged at the destination for a target of the bench's own, and removed; targets
/// and states of the connection are not touched. Each part is measured in a process of its own.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tidegate bench shop -s public.orders           one stream, up to about 5 million rows of it
  tidegate bench shop -s public.orders --rows 0  all of its rows
  tidegate bench --source shopdb -s public.orders  the source alone: draining and decoding
  tidegate bench shop --scale 1 -o json          tables made for it, in a schema `tidegate_bench` of the source")]
pub(crate) struct Bench {
    /// The connection; may be left out where there is only one, but for `--scale`
    #[arg(conflicts_with = "source")]
    pub(crate) connection: Option<String>,
    #[command(flatten)]
    pub(crate) streams: Streams,
    /// Measure this source alone, of the streams that `--stream` names
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Option<String>,
    /// WRITES TO THE SOURCE: make the tables `lineitem` (6 million rows at scale 1) and `payments` (3 million) in a
    /// new schema `tidegate_bench`, measure these, and remove them
    #[arg(long, value_name = "SCALE")]
    pub(crate) scale: Option<f64>,
    /// How often each part is measured, in turn; medians are shown
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=100))]
    pub(crate) rounds: u64,
    /// About how many rows of a stream to read, in whole partitions; 0 for all
    #[arg(long, value_name = "N", default_value_t = 5_000_000)]
    pub(crate) rows: u64,
    /// Most memory for all buffers, instead of the connection's `memory`
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<ByteSize>,
    /// Measure this part, here and now: how the command calls itself
    #[arg(long, hide = true, value_parser = part)]
    pub(crate) part: Option<Part>,
    #[arg(long, hide = true, default_value_t = NonZeroUsize::MIN)]
    pub(crate) connections: NonZeroUsize,
    #[arg(long, hide = true, default_value_t = 0)]
    pub(crate) bytes: u64,
    /// Whether the streams are tables that were made for it, which nobody has configured
    #[arg(long, hide = true)]
    pub(crate) made: bool,
}

/// A part of a sync by its name.
fn part(name: &str) -> Result<Part, serde_json::Error> {
    serde_json::from_value(name.into())
}

/// Show or change where the streams of a connection stand
#[derive(Debug, Subcommand)]
pub(crate) enum State {
    /// Show where each stream stands and what its target holds
    Show(StateOf),
    /// Print the states as JSON, for `import` or for Airbyte
    Export(Export),
    /// Set the states that `export` printed, or those of an Airbyte connection
    ///
    /// What was synced since the export is read again by the next sync.
    Import(Import),
    /// Forget where streams stand: the next sync reads everything
    ///
    /// Nothing is deleted. A stream that appends gets its rows once more; one that overwrites
    /// replaces them.
    Reset(Reset),
    /// Go on after files of the last commit were lost before they became visible
    ///
    /// For streams whose sync stops with such a message, after a bucket's rule aborted uploads too early. Goes
    /// back to the state before that commit: its rows are read again by the next sync. Of other streams it
    /// changes nothing.
    Repair(Reset),
}

/// Which states.
#[derive(Debug, Args)]
pub(crate) struct StateOf {
    /// The connection; may be left out where there is only one
    pub(crate) connection: Option<String>,
    #[command(flatten)]
    pub(crate) streams: Streams,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) which: StateOf,
    /// The form of the states: tidegate's own, or a list of Airbyte's state messages
    #[arg(long = "as", value_name = "FORM", value_enum, default_value_t = StateForm::Tidegate)]
    pub(crate) form: StateForm,
}

/// A form of states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StateForm {
    Tidegate,
    Airbyte,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The connection; may be left out where there is only one
    pub(crate) connection: Option<String>,
    /// What `state export` printed, or states of Airbyte's in any of its forms; `-` for stdin, and `airbyte`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) from: PathBuf,
    #[command(flatten)]
    pub(crate) streams: Streams,
    /// Don't ask
    #[arg(long, short)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Reset {
    /// The connection; may be left out where there is only one
    pub(crate) connection: Option<String>,
    #[command(flatten)]
    pub(crate) streams: Streams,
    /// Don't ask
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// List the connectors, or show the settings of one
#[derive(Debug, Args)]
pub(crate) struct Spec {
    /// The connector: `postgres`
    pub(crate) connector: Option<String>,
    /// Print what an administrator runs so that tidegate may do its work and no more
    #[arg(long, requires = "connector")]
    pub(crate) grants: bool,
}

/// Print the JSON schema of the configuration, for editors
#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// Print the schema of the report that `sync --output json` prints, or that verb
    #[arg(long, value_name = "VERB", value_enum, num_args = 0..=1, default_missing_value = "sync")]
    pub(crate) report: Option<ReportOf>,
}

/// A verb that reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportOf {
    Sync,
    Reconcile,
    Verify,
    Bench,
}

/// Print a script that completes commands in a shell
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tidegate completions bash > /etc/bash_completion.d/tidegate
  tidegate completions zsh > ~/.zfunc/_tidegate
  tidegate completions fish > ~/.config/fish/completions/tidegate.fish")]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: Shell,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn values_of_variables_are_not_in_the_help() {
        for argument in Arguments::command().get_arguments().filter(|argument| argument.get_env().is_some()) {
            assert!(argument.is_hide_env_values_set(), "{}", argument.get_id());
        }
    }
}
