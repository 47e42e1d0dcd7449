//! What helps at the beginning: a first file, the schema for editors, completions for shells.

use std::{fs::OpenOptions, io::Write, path::Path};

use clap::CommandFactory;
use gateway_core::config::schema::file_schema;

use crate::{
    args::{CompletionsArgs, InitArgs},
    cli::Cli,
    failure::Failure,
    output::{self, say},
};

/// The first file. Its first line tells editors where the schema is.
pub(crate) const FIRST: &str = include_str!("first.yml");

const FILE: &str = "kong.yml";
const SCHEMA: &str = "kong.schema.json";

/// Writes a first `kong.yml`, and the schema that editors read beside it. What is there stays.
pub(crate) fn init(args: &InitArgs) -> Result<(), Failure> {
    std::fs::create_dir_all(&args.folder)?;
    let file = args.folder.join(FILE);
    put(&file, FIRST)?;
    put(&args.folder.join(SCHEMA), &schema_text()?)?;
    let file = file.display();
    say!("{file} is there, with a schema for your editor. Next:");
    say!("  gateway check {file}\n  gateway {file} --admin 127.0.0.1:8001");
    Ok(())
}

fn put(path: &Path, text: &str) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))
}

/// Prints the JSON Schema of declarative files.
pub(crate) fn schema() -> Result<(), Failure> {
    output::write(format_args!("{}", schema_text()?));
    Ok(())
}

fn schema_text() -> Result<String, Failure> {
    Ok(serde_json::to_string_pretty(&file_schema())? + "\n")
}

/// Prints what makes a shell complete our commands.
pub(crate) fn completions(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "gateway", &mut text);
    output::write(format_args!("{}", String::from_utf8(text)?));
    Ok(())
}

#[cfg(test)]
mod tests {
    use gateway_core::{config::Config, plugins};

    use super::{FIRST, SCHEMA};

    #[test]
    fn the_first_file_is_right_and_names_its_schema() {
        let config = Config::parse(FIRST, &plugins::bundled()).unwrap();
        assert_eq!((config.services.len(), config.routes.len()), (1, 1));
        let first = FIRST.lines().next().unwrap();
        assert_eq!(first, format!("# yaml-language-server: $schema={SCHEMA}"));
    }
}
