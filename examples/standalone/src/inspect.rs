//! `gateway plugin inspect`: what a module is.

use gateway_plugins::{Inspection, Source};

use crate::{
    args::{InspectArgs, OutputFormat, RunArgs},
    failure::{Failure, chain},
    output::say,
    plugins,
    settings::Settings,
};

/// Prints what is in a module. It may come from anywhere: nothing of it runs.
pub(crate) fn inspect(args: &InspectArgs) -> Result<(), Failure> {
    let name = &args.file;
    let failed = |error: &dyn std::error::Error| Failure::new(format!("{name}: {}", chain(error)));
    let run = RunArgs { settings: args.settings.clone(), ..RunArgs::default() };
    let fetcher = plugins::fetcher(&Settings::of(&run)?.plugins)?;
    let place = if name.contains("://") { name.clone() } else { format!("file:{name}") };
    let module =
        Source::whatever(&place).and_then(|source| fetcher.fetch(&source)).map_err(|error| failed(&error))?;
    let inspection = Inspection::of(&module).map_err(|error| failed(&error))?;
    match args.format {
        OutputFormat::Text => say!("{inspection}"),
        OutputFormat::Json => say!("{}", serde_json::json!(inspection)),
    }
    Ok(())
}
