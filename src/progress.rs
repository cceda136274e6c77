//! What a running sync shows: bars on a terminal, else a line in the log every ten seconds.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::{Progress, Step, StreamProgress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::human;
use crate::output::Output;

/// Between two pictures.
const FRAME: Duration = Duration::from_millis(100);
/// Between two lines of the log.
const LINE: Duration = Duration::from_secs(10);
/// Rates are averages over this time.
const WINDOW: Duration = Duration::from_secs(10);
/// Streams that are shown at once.
const MAX_BARS: usize = 12;
/// Longest name that is shown whole.
const MAX_NAME: usize = 40;

/// Shows `progress` until it is dropped.
pub(crate) async fn show(output: &Output, connection: &str, progress: &Progress) {
    if output.is_live() {
        View::new(output).run(progress).await;
    } else {
        report(connection, progress).await;
    }
}

/// Takes the view off the terminal.
pub(crate) fn hide(output: &Output) {
    let _ = output.bars().clear();
    output.bars().set_draw_target(ProgressDrawTarget::hidden());
}

/// Writes a line of the log now and then.
async fn report(connection: &str, progress: &Progress) {
    let mut rate = Rate::default();
    rate.update(0, LINE);
    loop {
        tokio::time::sleep(LINE).await;
        let now = Sum::of(&progress.streams());
        let rows_per_second = rate.update(now.rows, LINE * 2);
        let (used, total) = progress.budget();
        tracing::info!(
            connection,
            streams = now.streams,
            streams_done = now.done,
            streams_failed = now.failed,
            rows = now.rows,
            rows_per_second,
            staged_bytes = now.staged_bytes,
            retries = now.retries,
            memory_used = used,
            memory = total,
            "syncing"
        );
    }
}

/// All streams together.
#[derive(Default)]
struct Sum {
    streams: usize,
    done: usize,
    failed: usize,
    rows: u64,
    staged_bytes: u64,
    retries: u64,
}

impl Sum {
    fn of(streams: &[Arc<StreamProgress>]) -> Self {
        let mut sum = Self { streams: streams.len(), ..Self::default() };
        for stream in streams {
            sum.done += usize::from(is_done(stream));
            sum.failed += usize::from(stream.step() == Step::Failed);
            sum.rows += stream.rows.get();
            sum.staged_bytes += stream.staged_bytes.get();
            sum.retries += stream.retries.get();
        }
        sum
    }
}

fn is_done(stream: &StreamProgress) -> bool {
    matches!(stream.step(), Step::Succeeded | Step::Failed)
}

/// How fast a number grows.
#[derive(Default)]
struct Rate(VecDeque<(Instant, u64)>);

impl Rate {
    /// Notes the number now; returns by how much it grew per second, over the last `window`.
    fn update(&mut self, number: u64, window: Duration) -> u64 {
        let now = Instant::now();
        while self.0.len() > 1 && self.0.front().is_some_and(|(at, _)| now - *at > window) {
            self.0.pop_front();
        }
        self.0.push_back((now, number));
        let Some((at, before)) = self.0.front() else { return 0 };
        let millis = u64::try_from((now - *at).as_millis()).unwrap_or(u64::MAX);
        if millis < 200 { 0 } else { number.saturating_sub(*before).saturating_mul(1000) / millis }
    }
}

/// Bars on a terminal.
struct View<'a> {
    output: &'a Output,
    started: Instant,
    lines: Vec<Line>,
    footer: ProgressBar,
    rate: Rate,
    with_bar: ProgressStyle,
    without_bar: ProgressStyle,
}

/// One stream's bar.
struct Line {
    stream: Arc<StreamProgress>,
    bar: ProgressBar,
    rate: Rate,
}

impl<'a> View<'a> {
    fn new(output: &'a Output) -> Self {
        output.bars().set_draw_target(ProgressDrawTarget::stderr());
        let style = |template| {
            ProgressStyle::with_template(template)
                .expect("the templates are constant and right")
                .progress_chars("━╸─")
        };
        let (with_bar, without_bar, footer) = if output.is_styled() {
            (
                "{spinner:.cyan} {prefix} {bar:20.cyan/dim} {msg}",
                "{spinner:.cyan} {prefix} {msg}",
                "  {msg:.dim}",
            )
        } else {
            ("{spinner} {prefix} {bar:20} {msg}", "{spinner} {prefix} {msg}", "  {msg}")
        };
        let bar = output.bars().add(ProgressBar::no_length());
        bar.set_style(style(footer));
        Self {
            output,
            started: Instant::now(),
            lines: Vec::new(),
            footer: bar,
            rate: Rate::default(),
            with_bar: style(with_bar),
            without_bar: style(without_bar),
        }
    }

    async fn run(mut self, progress: &Progress) {
        let mut frames = tokio::time::interval(FRAME);
        frames.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            frames.tick().await;
            self.draw(progress);
        }
    }

    fn draw(&mut self, progress: &Progress) {
        let streams = progress.streams();
        self.lines.retain(|line| {
            let is_over = is_done(&line.stream);
            if is_over {
                line.bar.finish_and_clear();
                self.output.bars().remove(&line.bar);
            }
            !is_over
        });
        for stream in &streams {
            let is_active = !is_done(stream) && stream.step() != Step::Waiting;
            let is_shown = self.lines.iter().any(|line| Arc::ptr_eq(&line.stream, stream));
            if is_active && !is_shown && self.lines.len() < MAX_BARS {
                let bar = self.output.bars().insert_before(&self.footer, ProgressBar::new(0));
                self.lines.push(Line { stream: Arc::clone(stream), bar, rate: Rate::default() });
            }
        }
        let names = self.lines.iter().map(|line| line.stream.name.chars().count());
        let width = names.max().unwrap_or(0).min(MAX_NAME);
        for line in &mut self.lines {
            line.draw(width, &self.with_bar, &self.without_bar);
        }
        let summary = self.summary(progress, &streams);
        self.footer.set_message(summary);
        self.footer.tick();
    }

    fn summary(&mut self, progress: &Progress, streams: &[Arc<StreamProgress>]) -> String {
        let sum = Sum::of(streams);
        if sum.streams == 0 {
            return "looking at the source".to_owned();
        }
        let (used, total) = progress.budget();
        let mut text = format!(
            "{} of {} done · {} · {} rows/s · {} written · buffers {} of {} · {}",
            sum.done,
            human::counted(sum.streams as u64, "stream"),
            human::counted(sum.rows, "row"),
            human::count(self.rate.update(sum.rows, WINDOW)),
            human::bytes(sum.staged_bytes),
            human::bytes(used),
            human::bytes(total),
            human::whole_seconds(self.started.elapsed().as_secs_f64()),
        );
        if sum.failed > 0 {
            let _ = write!(text, " · {} failed", sum.failed);
        }
        if sum.retries > 0 {
            let _ = write!(text, " · {}", human::counted(sum.retries, "attempt") + " made again");
        }
        text
    }
}

impl Line {
    fn draw(&mut self, width: usize, with_bar: &ProgressStyle, without_bar: &ProgressStyle) {
        let stream = &self.stream;
        self.bar.set_prefix(format!("{:<width$}", shortened(&human::plain(&stream.name))));
        let (rows, estimate) = (stream.rows.get(), stream.estimated_rows.get());
        let rate = self.rate.update(rows, WINDOW);
        let is_reading = stream.step() == Step::Reading;
        if is_reading && estimate > 0 {
            self.bar.set_style(with_bar.clone());
            self.bar.set_length(estimate.max(rows));
            self.bar.set_position(rows);
        } else {
            self.bar.set_style(without_bar.clone());
        }
        self.bar.set_message(match stream.step() {
            Step::Waiting => "waiting".to_owned(),
            Step::Planning => "planning".to_owned(),
            Step::Committing => format!("committing {}", human::counted(rows, "row")),
            Step::Reading | Step::Succeeded | Step::Failed => {
                let mut text = format!(
                    "{} · {} rows/s · {} · {}/{} partitions",
                    human::counted(rows, "row"),
                    human::count(rate),
                    human::bytes(stream.bytes.get()),
                    stream.partitions_done.get(),
                    stream.partitions.get(),
                );
                if rate > 0 && estimate > rows {
                    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
                    let left = (estimate - rows) as f64 / rate as f64;
                    let _ = write!(text, " · {} left", human::whole_seconds(left.ceil()));
                }
                text
            }
        });
        self.bar.tick();
    }
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= MAX_NAME {
        return name.to_owned();
    }
    let end: String = name.chars().skip(name.chars().count() - MAX_NAME + 1).collect();
    format!("…{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_averages_and_never_negative() {
        let mut rate = Rate::default();
        assert_eq!(rate.update(1000, WINDOW), 0);
        rate.0[0].0 -= Duration::from_secs(2);
        let grown = rate.update(5000, WINDOW);
        assert!((1900..=2000).contains(&grown), "{grown}");
        assert_eq!(rate.update(0, WINDOW), 0);
    }

    #[test]
    fn long_names_keep_their_end() {
        let name = "a".repeat(50) + ".orders";
        let shown = shortened(&name);
        assert_eq!(shown.chars().count(), MAX_NAME);
        assert!(shown.starts_with('…') && shown.ends_with(".orders"));
    }
}
