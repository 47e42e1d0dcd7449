//! The little of WASI that guests of Go, C++ and AssemblyScript import. It grants nothing: two ways to write are the
//! log, the environment is empty, there are no files, and leaving ends the instance.

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

pub(super) fn define(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    for module in ["wasi_snapshot_preview1", "wasi_unstable"] {
        define!(linker, module, {
            "fd_write" => write, (fd: u32, parts: u32, count: u32, written_at: u32);
            "fd_read" => |_, _, _, _, _| Err(Errno::BadDescriptor), (a: u32, b: u32, c: u32, d: u32);
            "fd_seek" => |_, _, _, _, _| Err(Errno::BadDescriptor), (a: u32, b: i64, c: u32, d: u32);
            "fd_close" => |_, _| Err(Errno::BadDescriptor), (a: u32);
            "fd_fdstat_get" => status_of, (fd: u32, status_at: u32);
            "fd_fdstat_set_flags" => |_, _, _| Err(Errno::BadDescriptor), (a: u32, b: u32);
            "fd_prestat_get" => |_, _, _| Err(Errno::BadDescriptor), (a: u32, b: u32);
            "fd_prestat_dir_name" => |_, _, _, _| Err(Errno::BadDescriptor), (a: u32, b: u32, c: u32);
            "fd_filestat_get" => |_, _, _| Err(Errno::BadDescriptor), (a: u32, b: u32);
            "path_open" => |_, _, _, _, _, _, _, _, _, _| Err(Errno::NoSystem), (
                a: u32, b: u32, c: u32, d: u32, e: u32, f: u64, g: u64, h: u32, i: u32
            );
            "path_filestat_get" => |_, _, _, _, _, _| Err(Errno::NoSystem), (a: u32, b: u32, c: u32, d: u32, e: u32);
            "poll_oneoff" => |_, _, _, _, _| Err(Errno::NoSystem), (a: u32, b: u32, c: u32, d: u32);
            "sched_yield" => |_| Ok(()), ();
            "environ_get" => |_, _, _| Ok(()), (a: u32, b: u32);
            "environ_sizes_get" => none, (count_at: u32, bytes_at: u32);
            "args_get" => |_, _, _| Ok(()), (a: u32, b: u32);
            "args_sizes_get" => none, (count_at: u32, bytes_at: u32);
            "clock_time_get" => clock, (id: u32, precision: u64, time_at: u32);
            "random_get" => random, (buffer: u32, size: u32);
        });
        linker.func_wrap(module, "proc_exit", |code: u32| -> wasmtime::Result<()> {
            Err(wasmtime::Error::msg(format!("the guest left with {code}")))
        })?;
    }
    // What C++ guests of emscripten import besides.
    linker.func_wrap("env", "emscripten_notify_memory_growth", |_: u32| ())?;
    linker.func_wrap("env", "pthread_equal", |a: u32, b: u32| i32::from(a == b))?;
    Ok(())
}

/// The most parts of one write.
const MOST_PARTS: u32 = 64;

fn write(caller: &mut Caller<'_>, fd: u32, parts: u32, count: u32, written_at: u32) -> Outcome {
    let level = match fd {
        1 => LogLevel::Info,
        2 => LogLevel::Error,
        _ => return Err(Errno::BadDescriptor),
    };
    if count > MOST_PARTS {
        return Err(Errno::Invalid);
    }
    let (memory, host) = view(caller)?;
    let (mut text, mut written) = (Vec::new(), 0_u32);
    for part in bytes(memory, parts, count * 8)?.chunks_exact(8) {
        let number =
            |at: usize| part.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_le_bytes);
        let (pointer, length) = number(0).zip(number(4)).ok_or(Errno::Fault)?;
        let part = bytes(memory, pointer, length)?;
        let room = host.runtime.limits.log_line.saturating_sub(text.len());
        text.extend_from_slice(part.get(..room).unwrap_or(part));
        written = written.checked_add(length).ok_or(Errno::Invalid)?;
    }
    let text = text.strip_suffix(b"\n").unwrap_or(&text);
    if !text.is_empty() {
        line(host, level, text);
    }
    let (memory, _) = view(caller)?;
    Ok(put_u32(memory, written_at, written)?)
}

/// The two ways to write are open for writing, and that is all there is to know.
fn status_of(caller: &mut Caller<'_>, fd: u32, status_at: u32) -> Outcome {
    if !matches!(fd, 1 | 2) {
        return Err(Errno::BadDescriptor);
    }
    let mut status = [0; 24];
    status[8] = 64;
    let (memory, _) = view(caller)?;
    Ok(put(memory, status_at, &status)?)
}

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
