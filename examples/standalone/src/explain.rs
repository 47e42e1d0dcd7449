//! `gateway explain`: why a request goes where it goes.

use std::{
    io::{self, IsTerminal},
    process::ExitCode,
};

use gateway_core::{
    config::Colour,
    explain::{Question, Report},
};

use crate::{
    args::{ExplainArgs, OutputFormat},
    failure::Failure,
    file,
    output::{self, say},
    plugins::NodePlugins,
    settings::Settings,
    text,
};

/// Says what comes of a request; the exit code says whether a route takes it.
pub(crate) fn explain(args: &ExplainArgs) -> Result<ExitCode, Failure> {
    let question = question(args);
    if let Err(error) = question.head() {
        // As the command line's own mistakes.
        output::complain(format_args!("gateway: {error}\n"));
        return Ok(ExitCode::from(2));
    }
    let report = report(args, &question)?;
    match args.format {
        OutputFormat::Json => say!("{}", serde_json::to_string(&report)?),
        OutputFormat::Text => {
            let colour = if io::stdout().is_terminal() { Colour::Always } else { Colour::Never };
            output::write(format_args!("{}", report.render(colour)));
        }
    }
    Ok(if report.outcome.routed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn report(args: &ExplainArgs, question: &Question) -> Result<Report, Failure> {
    let settings = Settings::of(&(&args.node).into())?;
    let text = text::read(&args.file)?;
    let gateway = file::dry(&text, &settings, &NodePlugins::of(&settings)?)
        .map_err(|refusal| file::refuse(&refusal, &args.file, &text))?;
    Ok(gateway.explain(question)?)
}

fn question(args: &ExplainArgs) -> Question {
    let mut question = Question::new(&args.url);
    question.method.clone_from(&args.method);
    question.headers = args.headers.iter().map(|field| (field.name.clone(), field.value.clone())).collect();
    question.source = args.from;
    question.consumer.clone_from(&args.consumer);
    question
}
