//! Reading a declarative file.

use std::{
    fs,
    io::{self, IsTerminal, Read},
    path::Path,
};

use gateway_control::Refusal;
use gateway_core::{
    config::{Checked, Colour},
    plugins,
    server::Certificates,
};

use crate::failure::Failure;

/// The text of a file; `-` is standard input.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    let text = if path.as_os_str() == "-" {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(path)
    };
    text.map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))
}

/// The configuration in a text, its certificates included.
pub(crate) fn parse(text: &str) -> Result<(Checked, Certificates), Refusal> {
    let checked = Checked::parse(text, &plugins::bundled()).map_err(Refusal::Problems)?;
    let certificates = Certificates::new(checked.config()).map_err(Refusal::Certificates)?;
    Ok((checked, certificates))
}

/// Shows on standard error what is wrong with a text.
pub(crate) fn show(refusal: &Refusal, path: &Path, text: &str) {
    let colour = if io::stderr().is_terminal() { Colour::Always } else { Colour::Never };
    eprint!("{}", refusal.render(&path.display().to_string(), text, colour));
}

/// The line that goes with it.
pub(crate) fn refused(path: &Path) -> Failure {
    Failure::new(format!("configuration at {} is refused", path.display()))
}
