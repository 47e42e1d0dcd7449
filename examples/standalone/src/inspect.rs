//! `gateway plugin inspect`: what a module is.

use std::fs;

use gateway_plugins::Inspection;

use crate::{
    cli::{InspectArgs, OutputFormat},
    failure::Failure,
};

/// Prints what is in a module.
pub(crate) fn inspect(args: &InspectArgs) -> Result<(), Failure> {
    let name = args.file.display();
    let module =
        fs::read(&args.file).map_err(|error| Failure::new(format!("cannot read {name}: {error}")))?;
    let inspection =
        Inspection::of(&module).map_err(|error| Failure::new(format!("{name}: {}", chain(&error))))?;
    match args.format {
        OutputFormat::Text => println!("{inspection}"),
        OutputFormat::Json => println!("{}", serde_json::json!(inspection)),
    }
    Ok(())
}

/// An error with its causes. The first line says what, further ones are indented.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    let text = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
    text.trim_end().replace('\n', "\n    ")
}
