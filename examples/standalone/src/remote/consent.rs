//! What leaves nothing is asked about first.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::{failure::Failure, output};

/// Goes on where it is meant: by `--yes`, or by who sits at the terminal. `what` says what would happen.
pub(super) fn consent(is_given: bool, what: &str) -> Result<(), Failure> {
    if is_given || (io::stdin().is_terminal() && io::stderr().is_terminal() && is_meant(what)?) {
        return Ok(());
    }
    Err(Failure::new(format!("{what}; nothing was done, `--yes` says that it is meant")))
}

fn is_meant(what: &str) -> Result<bool, Failure> {
    output::complain(format_args!("{what}. Go on? [y/N] "));
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
