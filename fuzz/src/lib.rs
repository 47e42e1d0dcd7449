//! What the fuzz targets do with their bytes. Each function panics where something does not hold, whatever the
//! bytes are. `gateway-core/tests/fuzz_corpus.rs` runs the same functions over the committed corpora.

mod config;
mod expression;
mod host;
mod http1;
mod path;
mod proxy;
mod router;
mod upstream;

pub use config::config;
pub use expression::expression;
pub use host::host;
pub use http1::http1;
pub use path::path;
pub use proxy::proxy;
pub use router::router;
pub use upstream::upstream;

/// Runs `work` on the runtime of this thread.
fn within<F: Future>(work: F) -> F::Output {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    }
    RUNTIME.with(|runtime| runtime.block_on(work))
}
