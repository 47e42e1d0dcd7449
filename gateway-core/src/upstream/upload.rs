//! The request's body on its way up: counted, and watched for who holds it up.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body::Frame;

use crate::{
    Body,
    body::{Passing, Watch},
    error::BoxError,
    sanitize::clean_trailers,
};

/// How far a body that is sent while it arrives has come.
#[derive(Debug)]
pub(crate) struct Upload {
    began: Instant,
    state: AtomicU8,
    bytes: AtomicU64,
    /// Milliseconds since `began` at which the upstream last took something.
    progress: AtomicU64,
}

/// Who a body waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Progress {
    /// The upstream, which has not asked for more.
    Upstream,
    /// The client, which has not sent more.
    Client,
    /// Nobody: it is complete.
    Done,
    /// Nobody: the client broke its framing or went away.
    Broken,
}

impl Upload {
    pub(crate) fn progress(&self) -> Progress {
        match self.state.load(Ordering::Acquire) {
            0 => Progress::Upstream,
            1 => Progress::Client,
            2 => Progress::Done,
            _ => Progress::Broken,
        }
    }

    /// Bytes sent so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// How long ago the upstream last took something.
    pub(crate) fn stalled(&self, now: Instant) -> Duration {
        let progress = self.began + Duration::from_millis(self.progress.load(Ordering::Relaxed));
        now.saturating_duration_since(progress)
    }

    /// A try begins: the time before it was not the upstream's.
    pub(crate) fn begin(&self) {
        if self.progress() == Progress::Client {
            // What has been sent before goes first, and waits for no client.
            self.set(Progress::Upstream);
        }
        self.took(0);
    }

    fn set(&self, progress: Progress) {
        self.state.store(progress as u8, Ordering::Release);
    }

    fn took(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.progress.store(now, Ordering::Relaxed);
    }
}

impl Upload {
    /// `body`, which keeps an upload up to date from now on.
    pub(crate) fn watching(body: Body) -> (Passing<Arc<Self>>, Arc<Self>) {
        let upload = Arc::new(Self {
            began: Instant::now(),
            state: AtomicU8::new(Progress::Upstream as u8),
            bytes: AtomicU64::new(0),
            progress: AtomicU64::new(0),
        });
        (Passing::new(body, Arc::clone(&upload)), upload)
    }
}

impl Watch for Arc<Upload> {
    fn asked(&mut self) {
        self.set(Progress::Client);
    }

    fn pass(&mut self, frame: &mut Frame<Bytes>) {
        frame.trailers_mut().map(clean_trailers);
        self.took(frame.data_ref().map_or(0, Bytes::len));
        self.set(Progress::Upstream);
    }

    fn end(&mut self, end: Result<(), &BoxError>) {
        if end.is_ok() {
            self.took(0);
        }
        self.set(if end.is_ok() { Progress::Done } else { Progress::Broken });
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::{Progress, Upload};
    use crate::Body;

    #[tokio::test]
    async fn a_body_is_counted_to_its_end() {
        let (watched, upload) = Upload::watching(Body::from("hello"));
        assert_eq!(upload.progress(), Progress::Upstream);
        watched.collect().await.unwrap();
        assert_eq!((upload.bytes(), upload.progress()), (5, Progress::Done));
    }
}
