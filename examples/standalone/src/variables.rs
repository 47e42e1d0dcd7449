//! The command line with the variables that stand in for its options.

use std::{
    env,
    ffi::{OsStr, OsString},
};

use clap::{
    Arg, ArgMatches, Command, CommandFactory, Error, FromArgMatches,
    builder::Resettable,
    error::{ContextKind, ContextValue, ErrorKind},
};

use crate::cli::Cli;

/// What this process was told; it ends here if that was wrong.
pub(crate) fn read() -> Cli {
    let filled = |name: &OsStr| env::var_os(name).is_none_or(|value| !value.is_empty());
    let read = matches(&env::args_os().collect::<Vec<_>>(), filled)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    read.unwrap_or_else(|error| with_its_variable(error).exit())
}

/// What the command line says. Where a variable is at odds with an option, the option wins: only options can be at odds.
fn matches(args: &[OsString], filled: impl Fn(&OsStr) -> bool) -> Result<ArgMatches, Error> {
    let read = |losing: &[OsString]| {
        let heeded = |name: &OsStr| filled(name) && !losing.iter().any(|losing| losing == name);
        heeding(meant(args), &heeded).try_get_matches_from(args)
    };
    read(&[]).or_else(|error| match at_odds(&error) {
        variables if variables.is_empty() => Err(error),
        variables => read(&variables),
    })
}

/// Our command, for these arguments: what `run` reads from variables is not asked for by another command.
fn meant(args: &[OsString]) -> Command {
    let command = Cli::command();
    let named = args.get(1).is_some_and(|name| command.find_subcommand(name).is_some());
    if named { command.mut_args(|arg| arg.env(Resettable::Reset)) } else { command }
}

/// The variables of the options that an error says are at odds.
fn at_odds(error: &Error) -> Vec<OsString> {
    if error.kind() != ErrorKind::ArgumentConflict {
        return Vec::new();
    }
    let told =
        [ContextKind::InvalidArg, ContextKind::PriorArg].into_iter().filter_map(|kind| error.get(kind));
    let options = told.flat_map(|options| match options {
        ContextValue::String(option) => vec![option.clone()],
        ContextValue::Strings(options) => options.clone(),
        _ => Vec::new(),
    });
    let options: Vec<_> = options.collect();
    let mut command = Cli::command();
    command.build();
    variables_of(&command, &options)
}

/// The variables of options as clap writes them, also of those of the commands below.
fn variables_of(command: &Command, options: &[String]) -> Vec<OsString> {
    let own = command.get_arguments().filter(|arg| options.contains(&arg.to_string()));
    let own = own.filter_map(|arg| arg.get_env().map(OsStr::to_owned));
    let below = command.get_subcommands().flat_map(|command| variables_of(command, options));
    own.chain(below).collect()
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
