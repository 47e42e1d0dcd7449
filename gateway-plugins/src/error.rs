//! Why a module does not become a plugin.

use std::{io, path::PathBuf};

use crate::FetchError;

/// Why a module is refused. The message names the import, the export or the limit at fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What a file holds cannot be a plugin.
    #[error("{path} is no plugin")]
    In {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<Self>,
    },
    /// Another file of the same folder is a plugin of this name.
    #[error("{path}: another file of the folder is the plugin {name}, too")]
    Twice {
        /// The name.
        name: String,
        /// The second file.
        path: PathBuf,
    },
    /// A file that should say where a plugin comes from does not.
    #[error("{path}: {problem}")]
    Delivery {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A module does not come from where it should.
    #[error("cannot fetch {from}")]
    Fetch {
        /// Where it should come from.
        from: String,
        /// Why.
        source: FetchError,
    },
    /// What came says that it is another plugin.
    #[error("it says that it is the plugin {found}, expected {expected}")]
    Name {
        /// The name that it should have.
        expected: String,
        /// The name in its manifest.
        found: String,
    },
    /// It is allowed something that there is not.
    #[error(
        "there is no '{0}' that a plugin could be allowed: consumer, ratelimit, counter, kv, another area of functions, \
         or upstream:NAME"
    )]
    Allowance(String),
    /// The engine cannot be set up on this machine.
    #[error("the WebAssembly engine does not start")]
    Engine(#[source] wasmtime::Error),
    /// Compiled code cannot be kept in this folder.
    #[error("compiled plugins cannot be kept in {path}")]
    Cache {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is machine code of some engine: loading that would be trusting it.
    #[error("precompiled code is not loaded, only WebAssembly in its binary format")]
    Precompiled,
    /// It is not WebAssembly, or uses a proposal that is not switched on.
    #[error("not a valid WebAssembly module")]
    Invalid(#[source] wasmtime::Error),
    /// More than the limit of [`Limits`](crate::Limits).
    #[error("{what} is {wanted}, over the limit of {limit}")]
    Limit {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        wanted: u64,
        /// How large it may be.
        limit: u64,
    },
    /// What it says of itself cannot be read.
    #[error("the manifest in the module's section gateway-plugin: {0}")]
    Manifest(String),
    /// No marker tells the ABI.
    #[error(
        "no export tells the Proxy-Wasm ABI: one of proxy_abi_version_0_1_0, proxy_abi_version_0_2_0, \
         proxy_abi_version_0_2_1 must be there"
    )]
    NoAbi,
    /// It asks for something the host does not have.
    #[error("the host has no import {module}.{name}")]
    UnknownImport {
        /// The module part of the import.
        module: String,
        /// Its name.
        name: String,
    },
    /// It imports something of ours with another type.
    #[error("an import has another type than the host's")]
    ImportType(#[source] wasmtime::Error),
    /// An export that every plugin must have is not there.
    #[error("no export {0}")]
    NoExport(&'static str),
    /// An export has another type than the ABI's.
    #[error("export {name} must be {expected}")]
    ExportType {
        /// The export.
        name: &'static str,
        /// What the ABI says.
        expected: &'static str,
    },
}

impl LoadError {
    /// Whether the same may load later, though nobody has changed it.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::In { source, .. } => source.may_pass(),
            Self::Fetch { source, .. } => source.may_pass(),
            _ => false,
        }
    }
}
