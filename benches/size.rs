//! Whether the curve stays flat: rows per second and memory over the size of the table, as a table and as a plot:
//! `cargo bench --bench size`.
//!
//! For each scale a database of its own with `lineitem` and `payments`, measured by `tidegate bench`: medians of
//! interleaved rounds, each figure of a process of its own.
//!
//! `TIDEGATE_BENCH_SCALES` are the scales (`0.1,0.3,1,3`), `TIDEGATE_BENCH_PLOT` is the file of the plot
//! (`target/size.svg`), `TIDEGATE_BENCH_PROGRAM` the program.

#![expect(clippy::print_stdout, reason = "the table is what the bench is for")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use lab::{Cluster, Options, bulk};
use plotters::coord::Shift;
use plotters::prelude::*;
use serde_json::{Value, json};
use workload::Scale;

const TABLES: [&str; 2] = ["lineitem", "payments"];
const COLORS: [RGBColor; 2] = [RGBColor(31, 119, 180), RGBColor(214, 39, 40)];

/// What was measured of a table of some size.
struct Point {
    table: &'static str,
    rows: f64,
    drain: f64,
    whole: f64,
    cpu: f64,
    peak_mebibytes: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let scales = std::env::var("TIDEGATE_BENCH_SCALES").unwrap_or_else(|_| "0.1,0.3,1,3".to_owned());
    let scales = scales.split(',').map(str::parse).collect::<Result<Vec<Scale>, _>>()?;
    let mut points = Vec::new();
    println!("| table | rows | drain, 1 connection: rows/s | whole: rows/s | CPU s / M rows | peak RSS |");
    println!("|---|---|---|---|---|---|");
    for scale in scales {
        for point in measured(scale)? {
            println!(
                "| {} | {:.0} | {:.0} | {:.0} | {:.2} | {:.0} MiB |",
                point.table, point.rows, point.drain, point.whole, point.cpu, point.peak_mebibytes
            );
            points.push(point);
        }
    }
    let plot = std::env::var_os("TIDEGATE_BENCH_PLOT");
    let plot = plot.map_or_else(|| lab::root().join("target/size.svg"), PathBuf::from);
    draw(&points, &plot)?;
    println!("\nplot: {}", plot.display());
    Ok(())
}

/// Both tables at one scale.
fn measured(scale: Scale) -> Result<Vec<Point>, Box<dyn Error>> {
    let cluster =
        Cluster::start(Options::default().setting("max_wal_size", "8GB").setting("autovacuum", "off"));
    let database = cluster.database();
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async { bulk::create(&database.client().await, scale).await });
    let folder = tempfile::tempdir()?;
    let configuration = folder.path().join("tidegate.yaml");
    let streams: Vec<Value> =
        TABLES.iter().map(|table| json!({ "name": format!("public.{table}") })).collect();
    let text = json!({
        "sources": { "db": { "type": "postgres", "url": "${env:DATABASE_URL}" } },
        "destinations": { "lake": { "type": "parquet", "url": "./lake" } },
        "connections": { "db_to_lake": { "source": "db", "destination": "lake", "streams": streams } },
    });
    std::fs::write(&configuration, text.to_string())?;
    TABLES.iter().map(|table| benched(table, &configuration, &database.url())).collect()
}

fn benched(table: &'static str, configuration: &Path, url: &str) -> Result<Point, Box<dyn Error>> {
    let program = std::env::var_os("TIDEGATE_BENCH_PROGRAM");
    let mut command = Command::new(program.unwrap_or_else(|| env!("CARGO_BIN_EXE_tidegate").into()));
    command.arg("--config").arg(configuration).env("DATABASE_URL", url);
    command.args(["bench", "--rows", "0", "--output", "json", "--stream", &format!("public.{table}")]);
    let report: Value = serde_json::from_slice(&command.output()?.stdout)?;
    let parts = report["streams"][0]["parts"].as_array().ok_or_else(|| format!("no parts in {report}"))?;
    let part = |name: &str| parts.iter().find(|part| part["part"] == name).unwrap_or(&Value::Null);
    let number = |value: &Value| value.as_f64().unwrap_or_default();
    let (drain, whole) = (part("drain"), part("whole"));
    Ok(Point {
        table,
        rows: number(&whole["rows"]),
        drain: number(&drain["rows_per_second"]),
        whole: number(&whole["rows_per_second"]),
        cpu: number(&whole["cpu_seconds_per_million_rows"]),
        peak_mebibytes: number(&whole["peak_rss_bytes"]) / f64::from(1 << 20),
    })
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn draw(points: &[Point], file: &Path) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(file, (1100, 420)).into_drawing_area();
    root.fill(&WHITE)?;
    let (left, right) = root.split_horizontally(550);
    chart(&left, "million rows per second", points, |point| {
        vec![("whole", point.whole / 1e6), ("drain, 1 connection", point.drain / 1e6)]
    })?;
    chart(&right, "peak RSS of the whole, MiB", points, |point| vec![("whole", point.peak_mebibytes)])?;
    root.present()?;
    Ok(())
}

/// A line per table and series, over the rows of the table.
fn chart(
    area: &Area<'_>,
    title: &str,
    points: &[Point],
    series: impl Fn(&Point) -> Vec<(&'static str, f64)>,
) -> Result<(), Box<dyn Error>> {
    let (least, most) = points.iter().fold((f64::MAX, 1.0_f64), |(a, b), p| (a.min(p.rows), b.max(p.rows)));
    let top = points.iter().flat_map(&series).fold(0.0_f64, |top, (_, value)| top.max(value));
    // Room for the legend above all lines.
    let top = top * 1.5;
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d((least * 0.8..most * 1.25).log_scale(), 0.0..top)?;
    let rows = |rows: &f64| if *rows < 1e6 { format!("{}k", rows / 1e3) } else { format!("{}M", rows / 1e6) };
    let values = |value: &f64| format!("{}", (value * 100.0).round() / 100.0);
    chart
        .configure_mesh()
        .x_desc("rows of the table")
        .x_label_formatter(&rows)
        .y_label_formatter(&values)
        .light_line_style(TRANSPARENT)
        .draw()?;
    for (table, color) in TABLES.iter().zip(COLORS) {
        let of: Vec<&Point> = points.iter().filter(|point| point.table == *table).collect();
        let names = of.first().map(|point| series(point)).unwrap_or_default();
        for (at, (name, _)) in names.into_iter().enumerate() {
            let line: Vec<(f64, f64)> = of.iter().map(|point| (point.rows, series(point)[at].1)).collect();
            let style = if at == 0 { color.stroke_width(2) } else { color.mix(0.45).stroke_width(1) };
            chart
                .draw_series(LineSeries::new(line.clone(), style).point_size(3))?
                .label(format!("{table}, {name}"))
                .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], style));
        }
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK)
        .draw()?;
    Ok(())
}
