//! What commands say, on standard output and standard error.
//!
//! The macros of the standard library panic where nobody reads any more, as in `gateway history | head`.

use std::{
    fmt,
    io::{self, ErrorKind, Write},
    process,
};

/// What a shell says of a command that SIGPIPE has ended: 128 and the signal.
const NOBODY_READS: i32 = 141;

/// Says a line on standard output; see [`write()`].
macro_rules! say {
    ($($text:tt)*) => { $crate::output::write(format_args!("{}\n", format_args!($($text)*))) };
}
pub(crate) use say;

/// Writes to standard output. The process ends where it cannot: in silence where nobody reads any more.
pub(crate) fn write(text: fmt::Arguments<'_>) {
    let mut out = io::stdout().lock();
    let Err(error) = out.write_fmt(text).and_then(|()| out.flush()) else { return };
    if error.kind() == ErrorKind::BrokenPipe {
        process::exit(NOBODY_READS);
    }
    complain(format_args!("gateway: cannot write to standard output: {error}\n"));
    process::exit(1);
}

/// Writes to standard error. Where nobody reads that, the exit code still says it.
pub(crate) fn complain(text: fmt::Arguments<'_>) {
    let _ = io::stderr().lock().write_fmt(text);
}
