//! The changes of a running gateway's store, and the way back.

use clap::Args;
use gateway_control::{Differences, store::Revision};
use http::Request;
use serde::Deserialize;
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{AdminArgs, Client, consent};
use crate::{
    args::OutputFormat,
    failure::Failure,
    output::{self, say},
};

/// The most changes that are shown where somebody else was faster.
const SHOWN: usize = 20;

/// Which changes are shown.
#[derive(Clone, Debug, Args)]
pub(crate) struct HistoryArgs {
    /// One change, with what it did [default: a list]
    #[arg(value_name = "REVISION")]
    revision: Option<Revision>,

    /// So many of the newest
    #[arg(long, value_name = "N", default_value_t = 20)]
    size: u32,

    /// How they are written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: OutputFormat,

    #[command(flatten)]
    admin: AdminArgs,
}

/// Where to go back to.
#[derive(Clone, Debug, Args)]
pub(crate) struct RollbackArgs {
    /// Everything as it was at this revision
    #[arg(value_name = "REVISION")]
    revision: Revision,

    /// Only say what would change
    #[arg(long)]
    dry_run: bool,

    /// Also where nothing would be left, as at revision 0
    #[arg(short, long)]
    yes: bool,

    /// How it is written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: OutputFormat,

    #[command(flatten)]
    admin: AdminArgs,
}

/// A change, as the Admin API tells it.
#[derive(Debug, Deserialize)]
struct Line {
    revision: Revision,
    at: i64,
    who: String,
    what: String,
    entities: usize,
    #[serde(default)]
    differences: Differences,
}

/// Shows who changed what, the newest first; or one change.
pub(crate) fn history(args: &HistoryArgs) -> Result<(), Failure> {
    let client = args.admin.client()?;
    let answer = match args.revision {
        Some(revision) => client.json(&format!("/history/{revision}"))?,
        None => client.json(&format!("/history?size={}", args.size))?,
    };
    if args.format == OutputFormat::Json {
        say!("{answer}");
        return Ok(());
    }
    if args.revision.is_some() {
        let line: Line = serde_json::from_value(answer)?;
        output::write(format_args!("{}\n{}", line.text(), line.differences));
        return Ok(());
    }
    let lines: Vec<Line> = serde_json::from_value(answer.get("data").cloned().unwrap_or_default())?;
    if lines.is_empty() {
        say!("no change yet");
    }
    lines.iter().for_each(|line| say!("{}", line.text()));
    Ok(())
}

/// The changes after a revision that are still known, one a line, the newest first.
pub(super) fn since(client: &Client, revision: Revision) -> Result<String, Failure> {
    let answer = client.json(&format!("/history?size={SHOWN}"))?;
    let lines: Vec<Line> = serde_json::from_value(answer.get("data").cloned().unwrap_or_default())?;
    let after = lines.iter().filter(|line| line.revision > revision);
    Ok(after.map(|line| line.text() + "\n").collect())
}

impl Line {
    fn text(&self) -> String {
        let Self { revision, at, who, what, entities, .. } = self;
        let at = OffsetDateTime::from_unix_timestamp(*at).ok().and_then(|at| at.format(&Rfc3339).ok());
        let at = at.unwrap_or_default();
        // What clients send may have control characters in it, which a terminal would obey.
        let plain = |text: &str| text.escape_debug().to_string();
        format!("{revision:>6}  {at}  {entities:>6} entities  {}  {}", plain(who), plain(what))
    }
}

/// Makes everything as it was: a change like any other, with a revision of its own.
pub(crate) fn rollback(args: &RollbackArgs) -> Result<(), Failure> {
    if args.revision == Revision::NONE && !args.dry_run {
        consent(args.yes, "revision 0 is before the first change: all entities go")?;
    }
    let dry = if args.dry_run { "?dry_run=1" } else { "" };
    let path = format!("/rollback/{}{dry}", args.revision);
    let answer = args.admin.client()?.ask(Request::post(path).body(String::new())?, |_| {})?.ok()?.json;
    if args.format == OutputFormat::Json {
        say!("{answer}");
        return Ok(());
    }
    let differences = answer.get("differences").cloned().unwrap_or_default();
    let differences: Differences = serde_json::from_value(differences)?;
    output::write(format_args!("{differences}"));
    if !args.dry_run && !differences.is_empty() {
        let revision = answer.get("revision").map(Value::to_string).unwrap_or_default();
        say!("everything is as at revision {}, which makes revision {revision}", args.revision);
    }
    Ok(())
}
