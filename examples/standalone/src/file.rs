//! What a declarative file says.

use std::{
    io::{self, IsTerminal},
    path::Path,
};

use gateway_control::Refusal;
use gateway_core::{
    Builder, Gateway,
    config::{Checked, Colour, Places},
    server::Certificates,
};

use crate::{failure::Failure, node, output, plugins::NodePlugins, settings::Settings};

/// The configuration in a text, its certificates included.
pub(crate) fn parse(text: &str, plugins: &NodePlugins) -> Result<(Checked, Certificates), Refusal> {
    let checked = Checked::parse(text, &plugins.registry).map_err(Refusal::Problems)?;
    let certificates = Certificates::new(checked.config()).map_err(Refusal::Certificates)?;
    Ok((checked, certificates))
}

/// The gateway that `builder` makes of the configuration in `text`.
pub(crate) fn build(builder: Builder, text: &str) -> Result<Gateway, Refusal> {
    builder.build().map_err(|problems| Refusal::Problems(problems.located(&Places::of(text))))
}

/// The gateway of a node with these settings that serves the configuration in `text`. It serves nothing yet.
pub(crate) fn dry(text: &str, settings: &Settings, plugins: &NodePlugins) -> Result<Gateway, Refusal> {
    let (checked, _) = parse(text, plugins)?;
    let builder = Gateway::builder().checked(checked).settings(node::gateway(settings));
    build(builder.plugins(plugins.registry.clone()), text)
}

/// Shows on standard error what is wrong with a text.
pub(crate) fn show(refusal: &Refusal, path: &Path, text: &str) {
    let colour = if io::stderr().is_terminal() { Colour::Always } else { Colour::Never };
    output::complain(format_args!("{}", refusal.render(&path.display().to_string(), text, colour)));
}

/// Shows it, and gives the line that goes with it.
pub(crate) fn refuse(refusal: &Refusal, path: &Path, text: &str) -> Failure {
    show(refusal, path, text);
    refused(path)
}

/// The line by itself.
pub(crate) fn refused(path: &Path) -> Failure {
    Failure::new(format!("configuration at {} is refused", path.display()))
}
