//! A folder with plugins, looked at again and again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use gateway_core::plugin::{Plugin, Registry};

use crate::{LoadError, Plugins, broken::Broken};

/// A folder whose files `*.wasm` are plugins: by the names that they say themselves; those that say nothing, as filters of
/// other SDKs, by the names of their files. They are compiled when a configuration first names them. A file `NAME.toml` says
/// where the plugin NAME comes from: a `source` ([`Source`](crate::Source)) and its `sha256`, or several `versions` of them,
/// each with the `percent` of clients that see it.
///
/// ```no_run
/// use std::{collections::BTreeMap, time::Duration};
/// use gateway_core::{Gateway, plugins};
/// use gateway_plugins::{Folder, Plugins};
///
/// let shared = Plugins::new()?;
/// let base = shared.bundled(plugins::bundled())?;
/// let mut folder = Folder::open(&shared, "/etc/gateway/plugins", BTreeMap::new())?;
/// let gateway = Gateway::builder().plugins(folder.over(base.clone())).build()?;
/// loop {
///     std::thread::sleep(Duration::from_secs(1));
///     if folder.look()? {
///         gateway.replace_plugins(folder.over(base.clone()))?;
///     }
/// }
/// # #[allow(unreachable_code)]
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub struct Folder {
    plugins: Plugins,
    path: PathBuf,
    /// What each may do beside reading and writing messages, by its name.
    allowed: BTreeMap<String, Vec<String>>,
    /// What was read.
    files: BTreeMap<PathBuf, File>,
    /// What was there at the last look, and what was made of it.
    seen: (Listing, Made),
    /// Those that take the place of another plugin, as was told: once, not at each change.
    told: Mutex<BTreeSet<(PathBuf, String)>>,
}

/// What was made of what was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Made {
    /// Nothing yet: it may still be coming.
    #[default]
    Nothing,
    /// What could be made of it; nothing more comes of it.
    All,
    /// Something could not be fetched: from then on it is tried again.
    Later(Instant),
}

/// Between two tries to fetch what did not come.
const PAUSE: Duration = Duration::from_secs(30);

#[derive(Clone)]
struct File {
    stamp: Stamp,
    plugin: Arc<dyn Plugin>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Good,
    /// The plugin is nothing but a name and the reason.
    Broken,
    /// The same, as it could not be fetched: it is tried again.
    Awaited,
}

/// When a file was changed, and its length.
type Stamp = (SystemTime, u64);
type Listing = BTreeMap<PathBuf, Stamp>;

impl Folder {
    /// Reads the folder at `path`. Its plugins may do what `allowed` says by name, beside reading and writing messages
    /// ([`Plugins::allow`]).
    ///
    /// A file that cannot be read or is no plugin is a warning of the log, and refused, with its path, in a configuration
    /// that names it as the file is named.
    ///
    /// # Errors
    /// A folder that cannot be read, two plugins of one name, and an allowance that is none.
    pub fn open(
        plugins: &Plugins,
        path: impl Into<PathBuf>,
        allowed: BTreeMap<String, Vec<String>>,
    ) -> Result<Self, LoadError> {
        let (plugins, path) = (plugins.clone(), path.into());
        let mut folder = Self {
            plugins,
            path,
            allowed,
            files: BTreeMap::new(),
            seen: Default::default(),
            told: Mutex::default(),
        };
        let listing = folder.listing()?;
        let read = folder.read(&listing, broken);
        folder.seen = (listing, folder.made(&read));
        read?;
        Ok(folder)
    }

    /// Looks at what is there now: whether there are other plugins than before. Files come in steps, so what differs
    /// counts once it is the same at two looks. What did not change is the very plugin of before.
    ///
    /// # Errors
    /// As [`open`](Self::open), and for a file that is no plugin, once; then the plugins are those of before. What could
    /// not be fetched is tried again each half minute.
    pub fn look(&mut self) -> Result<bool, LoadError> {
        let listing = self.listing()?;
        if self.seen.0 != listing {
            self.seen = (listing, Made::Nothing);
            return Ok(false);
        }
        match self.seen.1 {
            Made::All => return Ok(false),
            Made::Later(at) if Instant::now() < at => return Ok(false),
            Made::Nothing | Made::Later(_) => {}
        }
        let read = self.read(&listing, |_, error| Err(error));
        self.seen.1 = self.made(&read);
        read
    }

    fn made(&self, read: &Result<bool, LoadError>) -> Made {
        let awaits = self.files.values().any(|file| file.state == State::Awaited);
        match awaits || read.as_ref().is_err_and(LoadError::may_pass) {
            true => Made::Later(Instant::now() + PAUSE),
            false => Made::All,
        }
    }

    /// `registry` with its plugins.
    #[must_use]
    pub fn over(&self, registry: Registry) -> Registry {
        self.in_order().fold(registry, |registry, (path, File { plugin, .. })| {
            if registry.get(plugin.name()).is_some() && self.is_news(path, plugin.name()) {
                tracing::warn!(plugin = plugin.name(), path = %path.display(), "takes the place of another plugin");
            }
            registry.with_shared(Arc::clone(plugin))
        })
    }

    /// Whether it is the first time that this file takes the place of that plugin.
    fn is_news(&self, path: &Path, name: &str) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|(path, _)| self.files.contains_key(path));
        told.insert((path.to_owned(), name.to_owned()))
    }

    fn listing(&self) -> Result<Listing, LoadError> {
        let read = || -> io::Result<Listing> {
            let mut listing = Listing::new();
            for entry in fs::read_dir(&self.path)? {
                let path = entry?.path();
                if path.extension().is_some_and(|extension| extension == "wasm" || extension == "toml") {
                    match stamp(&path) {
                        Ok(stamp) => drop(listing.insert(path, stamp)),
                        // It went meanwhile, or is a link to nothing: the others are there all the same.
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            Ok(listing)
        };
        read().map_err(|source| LoadError::File { path: self.path.clone(), source })
    }

    /// All of them, or none where one is wrong: whether there are others than before. `broken` says what becomes of a new
    /// file that is no plugin.
    fn read(
        &mut self,
        listing: &Listing,
        broken: impl Fn(&Path, LoadError) -> Result<Broken, LoadError>,
    ) -> Result<bool, LoadError> {
        let (mut files, mut names) = (BTreeMap::new(), BTreeSet::new());
        for (path, stamp) in listing {
            let known = self.files.get(path).filter(|file| file.stamp == *stamp);
            let file = match known {
                Some(file) if file.state != State::Awaited => file.clone(),
                known => match (self.plugins.file(path, &self.allowed), known) {
                    (Ok(plugin), _) => File { stamp: *stamp, plugin, state: State::Good },
                    // Still not: the others are not kept waiting for it.
                    (Err(_), Some(known)) => known.clone(),
                    (Err(error), None) => {
                        let state = if error.may_pass() { State::Awaited } else { State::Broken };
                        File { stamp: *stamp, plugin: Arc::new(broken(path, error)?), state }
                    }
                },
            };
            if file.state == State::Good && !names.insert(file.plugin.name().to_owned()) {
                return Err(LoadError::Twice { name: file.plugin.name().to_owned(), path: path.clone() });
            }
            files.insert(path.clone(), file);
        }
        let same = |(one, other): (&File, &File)| Arc::ptr_eq(&one.plugin, &other.plugin);
        let differ = files.len() != self.files.len() || !files.values().zip(self.files.values()).all(same);
        self.files = files;
        Ok(differ)
    }

    /// Those of broken files first: one that works takes the place.
    fn in_order(&self) -> impl Iterator<Item = (&PathBuf, &File)> {
        let (broken, good): (Vec<_>, Vec<_>) =
            self.files.iter().partition(|(_, file)| file.state != State::Good);
        broken.into_iter().chain(good)
    }
}

/// At a start, where the others are wanted all the same. A wrong allowance is no fault of the file.
fn broken(path: &Path, error: LoadError) -> Result<Broken, LoadError> {
    if let LoadError::In { source, .. } = &error
        && let LoadError::Allowance(_) = **source
    {
        return Err(error);
    }
    let broken = Broken::new(path, &error);
    tracing::warn!(reason = broken.reason(), "a plugin is not there");
    Ok(broken)
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    let metadata = fs::metadata(path)?;
    Ok((metadata.modified()?, metadata.len()))
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.files.values().map(|file| file.plugin.name()).collect();
        f.debug_struct("Folder").field("path", &self.path).field("plugins", &names).finish_non_exhaustive()
    }
}

impl Plugins {
    /// `registry` with the plugins in the files `*.wasm` of `folder`, as they are now: [`Folder`] follows one.
    ///
    /// # Errors
    /// As [`Folder::open`].
    pub fn folder(
        &self,
        registry: Registry,
        folder: &Path,
        allowed: &BTreeMap<String, Vec<String>>,
    ) -> Result<Registry, LoadError> {
        Ok(Folder::open(self, folder, allowed.clone())?.over(registry))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        fs,
        io::{Read, Write},
        net::TcpListener,
        sync::Arc,
        time::Instant,
    };

    use gateway_core::plugin::Registry;

    use super::{Folder, Made};
    use crate::{Digest, Fetcher, Plugins};

    #[test]
    fn what_cannot_be_fetched_at_the_start_is_tried_again() {
        let path = std::env::temp_dir().join(format!("gateway-folder-awaits-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        let module = wat::parse_str("(module)").unwrap();
        fs::write(path.join("b.wasm"), &module).unwrap();
        let hash = Digest::of(&module);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let delivery = format!("source = \"http://{address}/a.wasm\"\nsha256 = \"{hash}\"\n");
        fs::write(path.join("a.toml"), delivery).unwrap();
        let mut folder =
            Folder::open(&Plugins::new().unwrap().fetching(Fetcher::new()), &path, BTreeMap::new()).unwrap();
        let tried = |folder: &Folder| {
            folder.over(Registry::empty()).get("a").unwrap().configure(&serde_json::json!({}))
        };
        assert!(tried(&folder).err().unwrap().contains("cannot fetch"));
        assert!(folder.over(Registry::empty()).get("b").is_some(), "the others are there");
        assert!(!folder.look().unwrap(), "not at once");
        let again = |folder: &mut Folder| {
            assert!(matches!(folder.seen.1, Made::Later(at) if at > Instant::now()));
            folder.seen.1 = Made::Later(Instant::now());
            folder.look().unwrap()
        };
        assert!(!again(&mut folder), "it is still not there");
        let listener = TcpListener::bind(address).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                module.len()
            )
            .unwrap();
            stream.write_all(&module).unwrap();
        });
        assert!(again(&mut folder));
        server.join().unwrap();
        assert!(!tried(&folder).err().unwrap().contains("cannot fetch"), "a module without an ABI");
        assert_eq!(folder.seen.1, Made::All);
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn that_one_takes_the_place_of_another_is_news_once() {
        let path = std::env::temp_dir().join(format!("gateway-folder-news-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        let file = path.join("a.wasm");
        fs::write(&file, wat::parse_str("(module)").unwrap()).unwrap();
        let mut folder = Folder::open(&Plugins::new().unwrap(), &path, BTreeMap::new()).unwrap();
        let told = |folder: &Folder| folder.told.lock().unwrap().len();
        let base = folder.over(Registry::empty());
        assert_eq!(told(&folder), 0, "there is no other");
        let _ = folder.over(base.clone());
        assert_eq!(told(&folder), 1);
        assert!(!folder.is_news(&file, "a") && folder.is_news(&file, "b"));
        fs::remove_file(&file).unwrap();
        assert!([folder.look().unwrap(), folder.look().unwrap()][1]);
        assert!(folder.is_news(&file, "a"), "it was gone meanwhile");
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_file_that_is_broken_at_the_start_stands_in_nobodys_way_but_its_own() {
        let path = std::env::temp_dir().join(format!("gateway-folder-broken-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("a.wasm"), wat::parse_str("(module)").unwrap()).unwrap();
        fs::write(path.join("b.wasm"), "no module").unwrap();
        std::os::unix::fs::symlink("nowhere", path.join("d.wasm")).unwrap();
        fs::create_dir(path.join("e.wasm")).unwrap();
        let mut folder = Folder::open(&Plugins::new().unwrap(), &path, BTreeMap::new()).unwrap();
        let plugins = folder.over(Registry::empty());
        assert!(plugins.get("a").is_some());
        let refused = plugins.get("b").unwrap().configure(&serde_json::json!({ "any": 1 })).err().unwrap();
        assert!(refused.contains("b.wasm is no plugin") && !refused.contains('\n'), "{refused}");
        fs::write(path.join("c.wasm"), wat::parse_str("(module)").unwrap()).unwrap();
        assert!([folder.look().unwrap(), folder.look().unwrap()][1], "others may come");
        fs::write(path.join("b.wasm"), wat::parse_str("(module)").unwrap()).unwrap();
        assert!([folder.look().unwrap(), folder.look().unwrap()][1]);
        let plugins = folder.over(Registry::empty());
        assert!(plugins.get("c").is_some());
        let mended = plugins.get("b").unwrap().configure(&serde_json::json!({})).err();
        assert!(mended.is_none_or(|refused| !refused.contains("no plugin")), "it is mended");
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn what_comes_changes_and_goes_is_noticed_and_the_rest_is_the_very_same() {
        let path = std::env::temp_dir().join(format!("gateway-folder-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("a.wasm"), wat::parse_str("(module)").unwrap()).unwrap();
        let mut folder = Folder::open(&Plugins::new().unwrap(), &path, BTreeMap::new()).unwrap();
        let mut changes = |put: &dyn Fn()| {
            put();
            let first = folder.look().unwrap();
            (first, folder.look().map_err(|error| error.to_string()), folder.over(Registry::empty()))
        };
        let nothing = changes(&|| {});
        assert_eq!((nothing.0, nothing.1), (false, Ok(false)));
        let come = changes(&|| fs::write(path.join("b.wasm"), wat::parse_str("(module)").unwrap()).unwrap());
        assert_eq!((come.0, come.1), (false, Ok(true)));
        assert!(Arc::ptr_eq(nothing.2.get("a").unwrap(), come.2.get("a").unwrap()));
        let wrong = changes(&|| fs::write(path.join("b.wasm"), "no module").unwrap());
        assert!(wrong.1.unwrap_err().contains("b.wasm"));
        assert!(Arc::ptr_eq(wrong.2.get("b").unwrap(), come.2.get("b").unwrap()), "it stays");
        let again = changes(&|| {});
        assert_eq!((again.0, again.1), (false, Ok(false)), "it is told once");
        let gone = changes(&|| fs::remove_file(path.join("b.wasm")).unwrap());
        assert_eq!((gone.1, gone.2.get("b").is_some()), (Ok(true), false));
        let new = changes(&|| {
            fs::write(path.join("a.wasm"), wat::parse_str("(module (memory 1))").unwrap()).unwrap();
        });
        assert_eq!(new.1, Ok(true));
        assert!(!Arc::ptr_eq(new.2.get("a").unwrap(), gone.2.get("a").unwrap()));
        fs::remove_dir_all(path).unwrap();
    }
}
