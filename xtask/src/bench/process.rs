//! Processes that end with their owner, each group pinned to one core.

use std::fs::File;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::Result;
use crate::bench::proc;

/// How long a group may take to end by itself.
const GRACE: Duration = Duration::from_secs(3);

/// A command that runs on `cpu` alone and ends when this program does, even by a kill -9.
pub(crate) fn pinned(cpu: usize, program: impl AsRef<Path>) -> Command {
    // Both tools exec: the process id that we see is the program's.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "taskset", "--cpu-list", &cpu.to_string()]);
    command.arg(program.as_ref()).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs a command to its end and returns what it printed, both streams joined.
///
/// # Errors
/// A command that cannot start, fails, or takes longer than `limit`.
pub(crate) async fn output(mut command: Command, limit: Duration) -> Result<String> {
    let name = format!("{:?}", command.as_std());
    let output = timeout(limit, command.kill_on_drop(true).output())
        .await
        .map_err(|_| format!("took longer than {limit:?}: {name}"))?
        .map_err(|error| format!("{error}: {name}"))?;
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() { Ok(text) } else { Err(format!("{}: {name}\n{text}", output.status).into()) }
}

/// A running program with everything it forked: one process group, killed on drop.
pub(crate) struct Group {
    child: Child,
    id: Pid,
}

impl Group {
    /// Starts `command` as the leader of a new group; what it prints goes to the file `log`.
    pub(crate) fn start(mut command: Command, log: &Path) -> Result<Group> {
        let out = File::create(log).map_err(|error| format!("cannot write {}: {error}", log.display()))?;
        let child = command
            .process_group(0)
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .map_err(|error| format!("cannot start {:?}: {error}", command.as_std()))?;
        let id = child.id().and_then(|id| Pid::from_raw(id.cast_signed())).ok_or("the process has no id")?;
        Ok(Group { child, id })
    }

    /// The ids of all its processes.
    pub(crate) fn members(&self) -> Result<Vec<u32>> {
        proc::group(self.id.as_raw_nonzero().get().cast_unsigned())
    }

    /// How the leader ended, if it did.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Asks the group to end, waits for its leader, then kills what is left.
    pub(crate) async fn stop(mut self) {
        // A group that is gone already is what we want.
        let _ = kill_process_group(self.id, Signal::TERM);
        let _ = timeout(GRACE, self.child.wait()).await;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = kill_process_group(self.id, Signal::KILL);
    }
}
