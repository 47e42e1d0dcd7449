//! What is in a module, told without running it.

use std::fmt;

use serde::Serialize;
use wasmparser::{ExternalKind, Payload};

use crate::{Digest, LoadError, Manifest, abi::Version, sections::Sections};

/// What is in a module, told without compiling or running it.
///
/// ```
/// use gateway_plugins::{Inspection, LoadError};
///
/// let module = wat::parse_str(r#"(module (import "env" "proxy_log" (func (param i32 i32 i32) (result i32)))
///     (func (export "proxy_abi_version_0_2_1")))"#).unwrap();
/// let inspection = Inspection::of(&module)?;
/// assert_eq!(inspection.abi, Some("0.2.1"));
/// assert_eq!(inspection.imports, ["env.proxy_log"]);
/// # Ok::<_, LoadError>(())
/// ```
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Inspection {
    /// What it says of itself, if it does.
    pub manifest: Option<Manifest>,
    /// The version of Proxy-Wasm that it is built for.
    pub abi: Option<&'static str>,
    /// Its size in bytes.
    pub size: usize,
    /// Its hash, as a delivery pins it: 64 hexadecimal digits.
    pub sha256: String,
    /// What it calls of the host: module and name.
    pub imports: Vec<String>,
    /// The functions that the host can call.
    pub exports: Vec<String>,
}

impl Inspection {
    /// Looks into a module in WebAssembly's binary format.
    ///
    /// # Errors
    /// What is no module, or a manifest that is none.
    pub fn of(module: &[u8]) -> Result<Self, LoadError> {
        let invalid = |error: wasmparser::BinaryReaderError| LoadError::Invalid(error.into());
        let (mut imports, mut exports) = (Vec::new(), Vec::new());
        for section in Sections::of(module) {
            match section? {
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import.map_err(invalid)?;
                        imports.push(format!("{}.{}", import.module, import.name));
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export.map_err(invalid)?;
                        if export.kind == ExternalKind::Func {
                            exports.push(export.name.to_owned());
                        }
                    }
                }
                _ => {}
            }
        }
        let has = |version: &Version| exports.iter().any(|export| export == version.marker());
        let abi = Version::ALL.into_iter().find(has).map(Version::number);
        let sha256 = Digest::of(module).to_string().trim_start_matches("sha256:").to_owned();
        Ok(Self { manifest: Manifest::of(module)?, abi, size: module.len(), sha256, imports, exports })
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.manifest {
            Some(manifest) => writeln!(f, "{manifest}")?,
            None => writeln!(f, "no manifest: a filter of another SDK, named as its file\n")?,
        }
        writeln!(f, "abi       Proxy-Wasm {}", self.abi.unwrap_or("unknown"))?;
        writeln!(f, "size      {} KiB", self.size.div_ceil(1024))?;
        writeln!(f, "sha256    {}", self.sha256)?;
        writeln!(f, "imports   {}", self.imports.join("\n          "))?;
        write!(f, "exports   {}", self.exports.join("\n          "))
    }
}
