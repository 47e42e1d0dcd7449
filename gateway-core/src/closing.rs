//! That a connection is about to be cut, told beforehand.

use tokio::sync::watch;

/// Becomes ready a moment before a listener cuts the connections that are still open, so that what speaks on one
/// can say goodbye.
///
/// ```
/// use gateway_core::Closing;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let (cut, told) = tokio::sync::watch::channel(false);
/// let closing = Closing::from(told);
/// cut.send_replace(true);
/// closing.comes().await;
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct Closing(watch::Receiver<bool>);

impl Closing {
    /// Waits until it is time. Cancel safe. Never ready where whoever would tell has gone.
    pub async fn comes(&self) {
        if self.0.clone().wait_for(|cut| *cut).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Told by whoever holds the other end.
impl From<watch::Receiver<bool>> for Closing {
    fn from(told: watch::Receiver<bool>) -> Self {
        Self(told)
    }
}
