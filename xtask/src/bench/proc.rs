//! What `/proc` says about processes.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::Result;

/// The processes of a process group.
pub(crate) fn group(id: u32) -> Result<Vec<u32>> {
    let processes =
        fs::read_dir("/proc")?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(processes.filter(|process| group_of(*process) == Some(id)).collect())
}

fn group_of(process: u32) -> Option<u32> {
    group_in_stat(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
}

/// proc_pid_stat(5): pid (name) state ppid pgrp; the name may hold spaces and parentheses.
fn group_in_stat(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(2)?.parse().ok()
}

/// The CPU time, user and system, that all threads of these processes have used.
///
/// From `schedstat`, which counts nanoseconds; `stat` would round to 10 ms.
pub(crate) fn cpu_time(processes: &[u32]) -> Result<Duration> {
    let mut total = Duration::ZERO;
    for process in processes {
        for thread in fs::read_dir(format!("/proc/{process}/task"))?.flatten() {
            total += thread_time(&thread.path())?;
        }
    }
    Ok(total)
}

fn thread_time(thread: &Path) -> Result<Duration> {
    let text = match fs::read_to_string(thread.join("schedstat")) {
        Ok(text) => text,
        // The thread ended while we looked.
        Err(_) if !thread.exists() => return Ok(Duration::ZERO),
        Err(error) => return Err(format!("this kernel has no schedstat: {error}").into()),
    };
    let nanoseconds = text.split_ascii_whitespace().next().and_then(|field| field.parse().ok());
    Ok(Duration::from_nanos(nanoseconds.ok_or("schedstat does not start with a number")?))
}

/// The resident memory of these processes in bytes, shared pages counted once for each process.
pub(crate) fn resident(processes: &[u32]) -> Result<u64> {
    processes
        .iter()
        .map(|process| {
            let status = fs::read_to_string(format!("/proc/{process}/status"))?;
            Ok(resident_in_status(&status).ok_or("no VmRSS")? * 1024)
        })
        .sum()
}

fn resident_in_status(status: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    value.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_is_found_behind_a_name_with_parentheses() {
        assert_eq!(group_in_stat("17 (a (b) c) S 1 4711 4711 0 -1"), Some(4711));
    }

    #[test]
    fn resident_memory_is_read_in_kib() {
        assert_eq!(resident_in_status("Name:\tx\nVmRSS:\t   5120 kB\nRssAnon:\t 1 kB\n"), Some(5120));
    }

    #[test]
    fn this_process_is_in_its_own_group_and_uses_cpu_and_memory() {
        let own = std::process::id();
        let id = group_of(own).unwrap();
        assert!(group(id).unwrap().contains(&own));
        assert!(cpu_time(&[own]).unwrap() > Duration::ZERO);
        assert!(resident(&[own]).unwrap() > 0);
    }
}
