//! The command line with the variables that stand in for its options.

use std::{env, ffi::OsStr};

use clap::{
    Arg, Command, CommandFactory, Error, FromArgMatches,
    builder::Resettable,
    error::{ContextKind, ContextValue},
};

use crate::cli::Cli;

/// What this process was told; it ends here if that was wrong.
pub(crate) fn read() -> Cli {
    let command = heeding(Cli::command(), &|name| env::var_os(name).is_none_or(|value| !value.is_empty()));
    let read = command.try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    read.unwrap_or_else(|error| with_its_variable(error).exit())
}

/// The command line, without the variables that are not `filled`: an empty one is as good as none, as containers
/// make one of what nobody has filled in.
fn heeding(command: Command, filled: &dyn Fn(&OsStr) -> bool) -> Command {
    let empty = |arg: &Arg| arg.get_env().is_some_and(|name| !filled(name));
    let command = command.mut_args(|arg| if empty(&arg) { arg.env(Resettable::Reset) } else { arg });
    command.mut_subcommands(|command| heeding(command, filled))
}

/// `error`, with the variable that gave the wrong value, if one did: who wrote no option looks for none.
fn with_its_variable(mut error: Error) -> Error {
    let told = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    if let Some((option, value)) = told(ContextKind::InvalidArg).zip(told(ContextKind::InvalidValue))
        && let Some(name) = variable_of(&option)
        && env::var(&name).is_ok_and(|all| all.split(',').any(|one| one == value))
    {
        let tip = format!("the value comes from {name}");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// The variable of an option as clap writes it, `--listen <ADDR>`.
fn variable_of(option: &str) -> Option<String> {
    let mut command = Cli::command();
    command.build();
    let variable = command.get_arguments().find(|arg| arg.to_string() == option)?.get_env()?;
    variable.to_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_is_as_good_as_none() {
        let told = |command: Command| command.get_arguments().filter(|arg| arg.get_env().is_some()).count();
        let all = told(heeding(Cli::command(), &|_| true));
        assert_eq!(told(heeding(Cli::command(), &|name| name != "GATEWAY_LISTEN")), all - 1);
    }

    #[test]
    fn an_option_knows_its_variable() {
        assert_eq!(variable_of("--workers <N>").as_deref(), Some("GATEWAY_WORKERS"));
        assert_eq!(variable_of("--help"), None);
    }
}
