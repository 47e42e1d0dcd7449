//! `gateway check`: all that `gateway run` would refuse in a file.

use std::process::ExitCode;

use gateway_control::Refusal;
use serde_json::{Value, json};

use crate::{
    args::{FileArgs, OutputFormat},
    failure::Failure,
    file,
    output::{self, say},
    plugins::NodePlugins,
    settings::Settings,
    text,
};

/// Checks a file; the failure is that it is refused.
pub(crate) fn check(args: &FileArgs) -> Result<(), Failure> {
    let settings = Settings::of(&(&args.node).into())?;
    let text = text::read(&args.file)?;
    let checked = file::dry(&text, &settings, &NodePlugins::of(&settings)?).map(drop);
    let name = args.file.display();
    match args.format {
        OutputFormat::Json => {
            let problems = checked.as_ref().err().map_or_else(|| json!([]), problems);
            say!("{}", json!({ "file": name.to_string(), "valid": checked.is_ok(), "problems": problems }));
        }
        OutputFormat::Text => match &checked {
            // Kong's words (compat P50).
            Ok(()) => say!("configuration at {name} is valid"),
            Err(refusal) => file::show(refusal, &args.file, &text),
        },
    }
    checked.map_err(|_| file::refused(&args.file))
}

/// The same in the words of `kong config parse` (compat A52).
pub(crate) fn parse(args: &FileArgs) -> Result<ExitCode, Failure> {
    let settings = Settings::of(&(&args.node).into())?;
    let text = text::read(&args.file)?;
    match file::dry(&text, &settings, &NodePlugins::of(&settings)?) {
        Ok(_) => {
            say!("parse successful");
            Ok(ExitCode::SUCCESS)
        }
        Err(refusal) => {
            output::complain(format_args!("Error: Failed parsing:\n{refusal}\n"));
            Ok(ExitCode::FAILURE)
        }
    }
}

fn problems(refusal: &Refusal) -> Value {
    match refusal {
        Refusal::Problems(problems) => {
            serde_json::to_value(problems.essential().collect::<Vec<_>>()).unwrap_or_default()
        }
        other => json!(other.to_string().lines().map(|line| json!({ "message": line })).collect::<Vec<_>>()),
    }
}
