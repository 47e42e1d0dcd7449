//! The machine's facts, without which a figure means nothing.

use std::fs;
use std::thread::available_parallelism;

/// What the figures depend on.
#[derive(Default)]
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    kernel: String,
    memory: String,
}

impl Machine {
    pub(crate) fn this() -> Machine {
        Machine {
            cpu: field("/proc/cpuinfo", "model name"),
            cores: available_parallelism().map_or(1, Into::into),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            memory: field("/proc/meminfo", "MemTotal"),
        }
    }

    pub(crate) fn facts(&self) -> Vec<String> {
        vec![
            format!("CPU: {}, {} cores", self.cpu, self.cores),
            format!("memory: {}", self.memory),
            format!("kernel: Linux {}", self.kernel),
        ]
    }
}

/// The first `name : value` of a file.
fn field(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.split_once(':'));
    value.map_or_else(|| "unknown".to_owned(), |(_, value)| value.trim().to_owned())
}
