//! WASI (preview 1, and the one before), which guests of Go, C++ and AssemblyScript import. It grants nothing: two ways to
//! write are the log, the environment is empty, there are no files and no sockets, nobody sleeps, and leaving ends the instance.

use wasmtime::Linker;

use super::{logging::line, time::nanoseconds};
use crate::{
    abi::{Errno, LogLevel, Status},
    caller::{Caller, view},
    host::Host,
    memory::{bytes, put, put_u32, put_u64},
};

/// What a WASI call comes to.
type Outcome = Result<(), Errno>;

/// Every pointer that leads nowhere is a fault here.
impl From<Status> for Errno {
    fn from(_: Status) -> Self {
        Self::Fault
    }
}

/// Defines WASI calls, which answer with an error number.
macro_rules! define {
    ($linker:expr, $module:expr, { $($name:literal => $call:expr, ($($arg:ident: $ty:ty),*);)+ }) => {
        $($linker.func_wrap($module, $name, |mut caller: Caller<'_>, $($arg: $ty),*| -> i32 {
            let call: fn(&mut Caller<'_>, $($ty),*) -> Outcome = $call;
            match call(&mut caller, $($arg),*) {
                Ok(()) => Errno::Success as i32,
                Err(errno) => errno as i32,
            }
        })?;)+
    };
}

/// Defines WASI calls that are answered with one error number whatever they ask for.
macro_rules! refuse {
    ($linker:expr, $module:expr, $errno:path, { $($name:literal($($ty:ty),*);)+ }) => {
        $($linker.func_wrap($module, $name, |$(_: $ty),*| -> i32 { $errno as i32 })?;)+
    };
}

pub(super) fn define(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    for module in ["wasi_snapshot_preview1", "wasi_unstable"] {
        define!(linker, module, {
            "fd_write" => write, (fd: u32, parts: u32, count: u32, written_at: u32);
            "fd_fdstat_get" => status_of, (fd: u32, status_at: u32);
            "sched_yield" => |_| Ok(()), ();
            "environ_get" => |_, _, _| Ok(()), (a: u32, b: u32);
            "environ_sizes_get" => none, (count_at: u32, bytes_at: u32);
            "args_get" => |_, _, _| Ok(()), (a: u32, b: u32);
            "args_sizes_get" => none, (count_at: u32, bytes_at: u32);
            "clock_res_get" => resolution, (id: u32, resolution_at: u32);
            "clock_time_get" => clock, (id: u32, precision: u64, time_at: u32);
            "random_get" => random, (buffer: u32, size: u32);
        });
        refuse_files(linker, module)?;
        linker.func_wrap(module, "proc_exit", |code: u32| -> wasmtime::Result<()> {
            Err(wasmtime::Error::msg(format!("the guest left with {code}")))
        })?;
    }
    // Subscriptions became shorter.
    define!(linker, "wasi_snapshot_preview1", { "poll_oneoff" => poll::<48>, (asked: u32, told: u32, count: u32, told_at: u32); });
    define!(linker, "wasi_unstable", { "poll_oneoff" => poll::<56>, (asked: u32, told: u32, count: u32, told_at: u32); });
    // What C++ guests of emscripten import besides.
    linker.func_wrap("env", "emscripten_notify_memory_growth", |_: u32| ())?;
    linker.func_wrap("env", "pthread_equal", |a: u32, b: u32| i32::from(a == b))?;
    Ok(())
}

/// What works on files and sockets is there, as standard libraries import it, and finds none.
fn refuse_files(linker: &mut Linker<Host>, module: &str) -> wasmtime::Result<()> {
    refuse!(linker, module, Errno::BadDescriptor, {
        "fd_advise"(u32, u64, u64, u32);
        "fd_allocate"(u32, u64, u64);
        "fd_close"(u32);
        "fd_datasync"(u32);
        "fd_fdstat_set_flags"(u32, u32);
        "fd_fdstat_set_rights"(u32, u64, u64);
        "fd_filestat_get"(u32, u32);
        "fd_filestat_set_size"(u32, u64);
        "fd_filestat_set_times"(u32, u64, u64, u32);
        "fd_pread"(u32, u32, u32, u64, u32);
        "fd_prestat_dir_name"(u32, u32, u32);
        "fd_prestat_get"(u32, u32);
        "fd_pwrite"(u32, u32, u32, u64, u32);
        "fd_read"(u32, u32, u32, u32);
        "fd_readdir"(u32, u32, u32, u64, u32);
        "fd_renumber"(u32, u32);
        "fd_seek"(u32, u64, u32, u32);
        "fd_sync"(u32);
        "fd_tell"(u32, u32);
        "sock_accept"(u32, u32, u32);
        "sock_recv"(u32, u32, u32, u32, u32, u32);
        "sock_send"(u32, u32, u32, u32, u32);
        "sock_shutdown"(u32, u32);
    });
    refuse!(linker, module, Errno::NoSystem, {
        "path_create_directory"(u32, u32, u32);
        "path_filestat_get"(u32, u32, u32, u32, u32);
        "path_filestat_set_times"(u32, u32, u32, u32, u64, u64, u32);
        "path_link"(u32, u32, u32, u32, u32, u32, u32);
        "path_open"(u32, u32, u32, u32, u32, u64, u64, u32, u32);
        "path_readlink"(u32, u32, u32, u32, u32, u32);
        "path_remove_directory"(u32, u32, u32);
        "path_rename"(u32, u32, u32, u32, u32, u32);
        "path_symlink"(u32, u32, u32, u32, u32);
        "path_unlink_file"(u32, u32, u32);
        "proc_raise"(u32);
    });
    Ok(())
}

/// The most parts of one write.
const MOST_PARTS: u32 = 64;

fn write(caller: &mut Caller<'_>, fd: u32, parts: u32, count: u32, written_at: u32) -> Outcome {
    if !matches!(fd, OUT | ERR) {
        return Err(Errno::BadDescriptor);
    }
    if count > MOST_PARTS {
        return Err(Errno::Invalid);
    }
    let (memory, host) = view(caller)?;
    let most = host.runtime.limits.log_line;
    let (mut text, mut written) = (Vec::new(), 0_u32);
    let mut ends = false;
    for part in bytes(memory, parts, count * 8)?.chunks_exact(8) {
        let (pointer, length) = number(part, 0).zip(number(part, 4)).ok_or(Errno::Fault)?;
        let part = bytes(memory, pointer, length)?;
        let room = most.saturating_sub(text.len());
        text.extend_from_slice(part.get(..room).unwrap_or(part));
        ends = part.last().map_or(ends, |last| *last == b'\n');
        written = written.checked_add(length).ok_or(Errno::Invalid)?;
    }
    if host.begun.descriptor != fd {
        end_line(host);
        host.begun.descriptor = fd;
    }
    host.begun.push(&text, most);
    if ends {
        end_line(host);
    }
    let (memory, _) = view(caller)?;
    Ok(put_u32(memory, written_at, written)?)
}

/// Where guests write to.
const OUT: u32 = 1;
const ERR: u32 = 2;

/// Writes the line that the guest has begun.
pub(crate) fn end_line(host: &mut Host) {
    if host.begun.is_empty() {
        return;
    }
    let level = if host.begun.descriptor == OUT { LogLevel::Info } else { LogLevel::Error };
    let text = host.begun.take();
    if !text.is_empty() {
        line(host, level, &text);
    }
}

/// The number at a place of a structure.
fn number(of: &[u8], at: usize) -> Option<u32> {
    of.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

/// The two ways to write are open for writing, and that is all there is to know.
fn status_of(caller: &mut Caller<'_>, fd: u32, status_at: u32) -> Outcome {
    if !matches!(fd, OUT | ERR) {
        return Err(Errno::BadDescriptor);
    }
    let mut status = [0; 24];
    status[8] = 64;
    let (memory, _) = view(caller)?;
    Ok(put(memory, status_at, &status)?)
}

/// Answers each of `count` subscriptions of so many bytes, at once: a callback does not wait, it has its time. What sleeps
/// until a time comes looks at the clock again. Of files there is nothing to hear.
fn poll<const SUBSCRIPTION: u32>(
    caller: &mut Caller<'_>,
    asked: u32,
    told: u32,
    count: u32,
    told_at: u32,
) -> Outcome {
    if count == 0 || count > MOST_POLLED {
        return Err(Errno::Invalid);
    }
    let (memory, _) = view(caller)?;
    let mut events = Vec::with_capacity(EVENT * MOST_POLLED as usize);
    for subscription in bytes(memory, asked, count * SUBSCRIPTION)?.chunks_exact(SUBSCRIPTION as usize) {
        let Some((user_data, [kind, ..])) = subscription.split_at_checked(8) else {
            return Err(Errno::Fault);
        };
        let errno = if *kind == CLOCK { Errno::Success } else { Errno::BadDescriptor };
        events.extend_from_slice(user_data);
        events.extend_from_slice(&[errno as u8, 0, *kind]);
        events.resize(events.len().next_multiple_of(EVENT), 0);
    }
    put(memory, told, &events)?;
    Ok(put_u32(memory, told_at, count)?)
}

/// The kind of a subscription that waits for a time.
const CLOCK: u8 = 0;
/// Bytes of an answer.
const EVENT: usize = 32;
/// The most subscriptions at a time.
const MOST_POLLED: u32 = 64;

/// No arguments, no environment.
fn none(caller: &mut Caller<'_>, count_at: u32, bytes_at: u32) -> Outcome {
    let (memory, _) = view(caller)?;
    put_u32(memory, count_at, 0)?;
    Ok(put_u32(memory, bytes_at, 0)?)
}

fn clock(caller: &mut Caller<'_>, clock: u32, _: u64, time_at: u32) -> Outcome {
    let now = match clock {
        0 => nanoseconds(),
        1 => monotonic(),
        _ => return Err(Errno::NotSupported),
    };
    let (memory, _) = view(caller)?;
    Ok(put_u64(memory, time_at, now)?)
}

/// A nanosecond.
fn resolution(caller: &mut Caller<'_>, clock: u32, resolution_at: u32) -> Outcome {
    if clock > 1 {
        return Err(Errno::NotSupported);
    }
    let (memory, _) = view(caller)?;
    Ok(put_u64(memory, resolution_at, 1)?)
}

/// Since some moment.
fn monotonic() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or_default())
}

/// The most random bytes at a time.
const MOST_RANDOM: u32 = 64 << 10;

/// From the operating system: guests make keys of them.
fn random(caller: &mut Caller<'_>, buffer: u32, size: u32) -> Outcome {
    if size > MOST_RANDOM {
        return Err(Errno::Invalid);
    }
    let (memory, _) = view(caller)?;
    let mut random = vec![0; bytes(memory, buffer, size)?.len()];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| Errno::NoSystem)?;
    Ok(put(memory, buffer, &random)?)
}
