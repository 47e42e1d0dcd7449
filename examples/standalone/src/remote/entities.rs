//! The entities of a running gateway, as a file.

use std::{fs, io::Write, path::PathBuf, process::ExitCode};

use clap::Args;
use gateway_control::{Differences, Refusal, aligned, store::Revision};
use gateway_core::config::{Config, Options};
use http::{HeaderValue, Request, StatusCode, header};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::{AdminArgs, Client, consent, history};
use crate::{
    args::{FileArgs, NodeArgs, OutputFormat},
    failure::Failure,
    file,
    output::{self, say},
    plugins::NodePlugins,
    settings::Settings,
    stored, text,
};

/// Where the entities go.
#[derive(Clone, Debug, Args)]
pub(crate) struct ExportArgs {
    /// The file that is written [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// A store that no gateway has open, in place of a running gateway's
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["admin", "token"])]
    store: Option<String>,

    #[command(flatten)]
    admin: AdminArgs,
}

/// Where they come from.
#[derive(Clone, Debug, Args)]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    file: FileArgs,

    /// Only say what would change, as `gateway diff` does
    #[arg(long)]
    dry_run: bool,

    /// Also where nothing would be left: a file without entities
    #[arg(short, long)]
    yes: bool,

    /// Also in the place of what others change while it is compared and sent
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    admin: AdminArgs,
}

/// What compares a file with what runs.
#[derive(Clone, Debug, Args)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    pub(crate) file: FileArgs,

    #[command(flatten)]
    pub(crate) admin: AdminArgs,
}

/// Writes all entities as a declarative file; secrets of the vaults stay where they are.
pub(crate) fn export(args: &ExportArgs) -> Result<(), Failure> {
    let text = match &args.store {
        Some(place) => stored::text(place)?,
        None => text(&args.admin.client()?)?.0,
    };
    match &args.output {
        None => {
            output::write(format_args!("{text}"));
            Ok(())
        }
        Some(path) => private(path, &text)
            .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display()))),
    }
}

/// Keys and passwords stand in it: a new file is for its owner only.
fn private(path: &PathBuf, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).open(path)?.write_all(text.as_bytes())
}

/// Says what of the entities the file would change; the exit code, whether anything.
pub(crate) fn diff(args: &FileArgs, admin: &AdminArgs) -> Result<ExitCode, Failure> {
    let (current, _) = served(&admin.client()?, &args.node)?;
    let differences = Differences::between(&current, &aligned(&current, wanted(args)?.1));
    show(&differences, args.format)?;
    Ok(if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Puts the file in the place of all entities.
pub(crate) fn import(args: &ImportArgs) -> Result<ExitCode, Failure> {
    if args.dry_run {
        return diff(&args.file, &args.admin);
    }
    let client = args.admin.client()?;
    let (text, wanted) = wanted(&args.file)?;
    let (current, tag) = served(&client, &args.file.node)?;
    if wanted == Config::default() && current != wanted {
        consent(args.yes, "the file has no entities: all that are there go")?;
    }
    let differences = Differences::between(&current, &aligned(&current, wanted));
    let progress = progress(text.len() as u64);
    let bar = progress.clone();
    let sent = move |gone| {
        bar.set_position(gone);
        if bar.length() == Some(gone) {
            bar.set_message("the gateway checks and keeps it");
        }
    };
    let mut request = Request::post("/config").header(header::CONTENT_TYPE, "application/yaml");
    let tag = tag.filter(|_| !args.force);
    if let Some(tag) = &tag {
        request = request.header(header::IF_MATCH, tag);
    }
    let answer = client.ask(request.body(text)?, sent);
    progress.finish_and_clear();
    let answer = answer?;
    if let Some(tag) = tag.filter(|_| answer.status == StatusCode::PRECONDITION_FAILED) {
        return Err(overtaken(&client, &tag));
    }
    answer.ok()?;
    show(&differences, args.file.format)?;
    Ok(ExitCode::SUCCESS)
}

/// Somebody was faster: who, where the gateway knows it.
fn overtaken(client: &Client, tag: &HeaderValue) -> Failure {
    let revision = tag.to_str().ok().and_then(|tag| tag.trim_matches('"').parse::<Revision>().ok());
    let seen = revision.map(|revision| format!(", which was revision {revision}")).unwrap_or_default();
    let changes = revision.and_then(|revision| history::since(client, revision).ok()).unwrap_or_default();
    Failure::new(format!(
        "others have changed what the file was compared with{seen}; nothing was imported\n{changes}\
         `gateway diff` shows what the file would change now; `--force` puts it in the place of that, too"
    ))
}

/// A bar on a terminal, nothing elsewhere.
fn progress(length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {bytes}/{total_bytes} {wide_bar} {elapsed} {msg}");
    let bar = ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(std::time::Duration::from_millis(100));
    bar
}

/// What the gateway serves by, as a declarative file, and its tag.
fn text(client: &Client) -> Result<(String, Option<HeaderValue>), Failure> {
    let answer = client.known("/config")?;
    let text = answer.json.get("config").and_then(Value::as_str);
    let text = text.ok_or_else(|| Failure::new("the gateway does not say what it serves by"))?;
    Ok((text.to_owned(), answer.tag))
}

fn served(client: &Client, node: &NodeArgs) -> Result<(Config, Option<HeaderValue>), Failure> {
    let plugins = NodePlugins::of(&Settings::of(&node.into())?)?;
    let problem =
        |problem| Failure::new(format!("what the gateway serves by is not understood here: {problem}"));
    let (text, tag) = text(client)?;
    let options = Options::new(&plugins.registry).keep_references();
    Ok((Config::parse(&text, options).map_err(problem)?, tag))
}

/// The file, and what stands in it.
fn wanted(args: &FileArgs) -> Result<(String, Config), Failure> {
    let plugins = NodePlugins::of(&Settings::of(&(&args.node).into())?)?;
    let text = text::read(&args.file)?;
    let config = Config::parse(&text, Options::new(&plugins.registry).keep_references())
        .map_err(|problems| file::refuse(&Refusal::Problems(problems), &args.file, &text))?;
    Ok((text, config))
}

fn show(differences: &Differences, format: OutputFormat) -> Result<(), Failure> {
    match format {
        OutputFormat::Text => output::write(format_args!("{differences}")),
        OutputFormat::Json => say!("{}", serde_json::to_string(differences)?),
    }
    Ok(())
}
