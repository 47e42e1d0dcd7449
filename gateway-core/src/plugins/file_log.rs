//! A file that gets a line for each request, as Kong's plugin `file-log` writes it (compat A10, O3).

use std::{
    collections::HashMap,
    fmt,
    num::NonZero,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
    thread,
    time::SystemTime,
};

use http::Request;
use serde::Deserialize;
use serde_json::Value;

use super::lua_fields::custom_fields_by_lua;
use crate::{
    Body,
    config::schema::{Field, Record},
    observe::{Lines, Sink, push_record},
    plugin::{Configured, Exchange, Flow, Handler, Plugin},
};

/// Writes [Kong's log record](push_record) of each request to the end of a file, one line a request.
///
/// All configurations with one path share one [`Lines`]: a writer of its own, which no request waits for. Lines that
/// it cannot take are dropped, counted and told in the gateway's own log. It ends with the last configuration that
/// names the path, once everything is written.
#[derive(Debug)]
pub struct FileLog {
    schema: Record,
    files: Files,
}

impl FileLog {
    /// The plugin.
    #[must_use]
    pub fn new() -> Self {
        Self { schema: schema(), files: Files::default() }
    }
}

impl Default for FileLog {
    fn default() -> Self {
        Self::new()
    }
}

fn schema() -> Record {
    Record::new(vec![
        Field::string("path").required().check(valid_name).doc("file that the lines are appended to"),
        Field::boolean("reopen").required().default(false).doc(
            "whether the file is opened anew each time lines are written, for rotation without a signal",
        ),
        custom_fields_by_lua(),
    ])
}

/// Kong's words for a path with characters that it does not take.
fn valid_name(path: &Value) -> Result<(), String> {
    let odd = path.as_str().is_some_and(|path| path.contains(['*', '&', '%', '\\', '`']));
    if odd { Err("not a valid filename".to_owned()) } else { Ok(()) }
}

#[derive(Deserialize)]
struct Config {
    path: PathBuf,
    #[serde(default)]
    reopen: bool,
}

impl Plugin for FileLog {
    fn name(&self) -> &'static str {
        "file-log"
    }

    fn priority(&self) -> i32 {
        9
    }

    fn schema(&self) -> &Record {
        &self.schema
    }

    fn configure(&self, config: &Value) -> Result<Configured, String> {
        let Config { path, reopen } = super::decode(config)?;
        let lines = self.files.open(&path).map_err(|error| format!("path: {}: {error}", path.display()))?;
        Ok(Configured::handler(FileLogHandler { lines, reopen }))
    }
}

/// The writers by path, each there as long as a configuration uses it.
#[derive(Default)]
struct Files(Mutex<HashMap<PathBuf, Weak<Lines>>>);

impl Files {
    fn open(&self, path: &Path) -> std::io::Result<Arc<Lines>> {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.retain(|_, lines| lines.strong_count() > 0);
        if let Some(lines) = files.get(path).and_then(Weak::upgrade) {
            return Ok(lines);
        }
        // As many workers as the machine has processors write without waiting for each other.
        let shards = thread::available_parallelism().map_or(1, NonZero::get);
        let lines = Arc::new(Lines::start("file-log", Sink::FileOnceWritten(path.to_owned()), shards)?);
        files.insert(path.to_owned(), Arc::downgrade(&lines));
        Ok(lines)
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.lock().unwrap_or_else(PoisonError::into_inner).keys()).finish()
    }
}

struct FileLogHandler {
    lines: Arc<Lines>,
    reopen: bool,
}

impl Handler for FileLogHandler {
    fn on_request(&self, request: &mut Request<Body>, exchange: &mut Exchange) -> Flow<Request<Body>> {
        exchange.record(request);
        Flow::Continue
    }

    fn on_skipped(&self, request: &Request<Body>, exchange: &mut Exchange) {
        exchange.record(request);
    }

    fn on_log(&self, exchange: &Exchange) {
        if self.reopen {
            self.lines.reopen_next();
        }
        self.lines.push(exchange.shard, |lines| {
            push_record(lines, exchange, SystemTime::now());
            lines.push(b'\n');
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::FileLog;
    use crate::plugin::Plugin;

    fn path() -> String {
        std::env::temp_dir().join(format!("file-log-{}", uuid::Uuid::new_v4())).to_str().unwrap().to_owned()
    }

    #[test]
    fn configurations_of_one_path_share_its_writer_which_ends_with_the_last() {
        let (plugin, path) = (FileLog::new(), path());
        let config = json!({ "path": path, "reopen": false });
        let first = plugin.configure(&config).unwrap();
        let second = plugin.configure(&json!({ "path": path, "reopen": true })).unwrap();
        let writer = plugin.files.0.lock().unwrap()[std::path::Path::new(&path)].clone();
        assert_eq!(writer.strong_count(), 2);
        drop(first);
        assert_eq!(writer.strong_count(), 1);
        drop(second);
        assert_eq!(writer.strong_count(), 0);
        drop(plugin.configure(&config).unwrap());
        assert!(plugin.files.0.lock().unwrap().len() <= 1, "paths that nobody uses do not pile up");
    }

    /// Bug: `gateway check`, `explain` and a change that was only tried made the file.
    #[test]
    fn a_file_is_made_with_its_first_line_and_not_by_looking_at_a_configuration() {
        let path = path();
        drop(FileLog::new().configure(&json!({ "path": path })).unwrap());
        assert!(!std::fs::exists(path).unwrap());
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_refused() {
        let why = FileLog::new().configure(&json!({ "path": "/nowhere/at/all.log" })).unwrap_err();
        assert!(why.starts_with("path: /nowhere/at/all.log: "), "{why}");
    }
}
