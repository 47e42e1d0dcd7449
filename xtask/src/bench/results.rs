//! The files of a run: a Markdown page and a plot in `benches/results`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;
use tokio::process::Command;

use crate::Result;
use crate::bench::measure::Kind;
use crate::bench::report::Report;
use crate::bench::{plot, process};

/// Writes both files; without a `name` they get the date and what was measured, as `2026-01-31-load`.
pub(crate) async fn write(root: &Path, name: Option<&str>, kind: Kind, report: &Report) -> Result<()> {
    let name = match name {
        Some(name) => name.to_owned(),
        None => format!("{}-{}", today().await?, word(kind)),
    };
    let folder = root.join("benches/results");
    fs::create_dir_all(&folder)?;
    let plot = format!("{name}.svg");
    save(&folder.join(&plot), &plot::svg(report))?;
    save(&folder.join(format!("{name}.md")), &report.page(&plot))
}

/// The word that asks for this measurement on the command line.
fn word(kind: Kind) -> String {
    kind.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

fn save(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    println!("wrote {}", path.display());
    Ok(())
}

/// The date in UTC.
async fn today() -> Result<String> {
    let mut date = Command::new("date");
    date.args(["-u", "+%F"]);
    Ok(process::output(date, Duration::from_secs(5)).await?.trim().to_owned())
}
