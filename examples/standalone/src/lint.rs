//! `gateway lint`: what a file says and hardly means.

use std::{
    io::{self, IsTerminal},
    process::ExitCode,
};

use gateway_control::Refusal;
use gateway_core::{
    config::{Colour, Places},
    lint::{Findings, Severity, lint as find, lint_refused},
};
use serde_json::json;

use crate::{
    args::{FileArgs, OutputFormat},
    failure::Failure,
    file,
    output::{self, say},
    plugins::NodePlugins,
    settings::Settings,
    text,
};

/// Shows what is doubtful in a file; the exit code says whether any of it is worse than a note.
pub(crate) fn lint(args: &FileArgs) -> Result<ExitCode, Failure> {
    let settings = Settings::of(&(&args.node).into())?;
    let text = text::read(&args.file)?;
    let (findings, refusal) = match file::dry(&text, &settings, &NodePlugins::of(&settings)?) {
        Ok(gateway) => {
            let findings = find(gateway.snapshot().config(), gateway.settings().dialect());
            (findings.located(&Places::of(&text)), None)
        }
        Err(refusal) => (hints(&refusal, &text), Some(refusal)),
    };
    show(args, &text, &findings, refusal.as_ref());
    if refusal.is_some() {
        return Err(file::refused(&args.file));
    }
    let is_bad = findings.worst().is_some_and(|worst| worst > Severity::Note);
    Ok(if is_bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A file that is refused has no routes to be compared yet.
fn hints(refusal: &Refusal, text: &str) -> Findings {
    match refusal {
        Refusal::Problems(problems) => lint_refused(problems, text),
        _ => Findings::default(),
    }
}

fn show(args: &FileArgs, text: &str, findings: &Findings, refusal: Option<&Refusal>) {
    let name = args.file.display().to_string();
    match args.format {
        OutputFormat::Json => {
            say!("{}", json!({ "file": name, "valid": refusal.is_none(), "findings": findings }));
        }
        OutputFormat::Text => {
            if let Some(refusal) = refusal {
                file::show(refusal, &args.file, text);
            }
            if refusal.is_none() || !findings.is_empty() {
                let colour = if io::stdout().is_terminal() { Colour::Always } else { Colour::Never };
                output::write(format_args!("{}", findings.render(&name, text, colour)));
            }
        }
    }
}
