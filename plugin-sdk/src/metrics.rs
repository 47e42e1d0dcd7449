//! Metrics of a plugin, shown with the gateway's own.

use crate::{
    Error,
    host::{self, Metric},
};

/// It only grows.
#[derive(Clone, Copy, Debug)]
pub struct Counter(u32);

/// It goes up and down.
#[derive(Clone, Copy, Debug)]
pub struct Gauge(u32);

/// Values by how large they are.
#[derive(Clone, Copy, Debug)]
pub struct Histogram(u32);

impl Counter {
    /// The counter of this name, made where there is none.
    ///
    /// # Errors
    /// A name that is taken by another kind of metric, or one too many.
    pub fn new(name: &str) -> Result<Self, Error> {
        Ok(Self(host::define_metric(Metric::Counter, name)?))
    }

    /// Counts one more.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Counts so many more.
    pub fn add(&self, by: u32) {
        host::increment_metric(self.0, by.into());
    }
}

impl Gauge {
    /// The gauge of this name, made where there is none.
    ///
    /// # Errors
    /// As for [`Counter::new`].
    pub fn new(name: &str) -> Result<Self, Error> {
        Ok(Self(host::define_metric(Metric::Gauge, name)?))
    }

    /// Goes up, or down.
    pub fn add(&self, by: i64) {
        host::increment_metric(self.0, by);
    }

    /// Stands at this value from now on.
    pub fn set(&self, value: u64) {
        host::record_metric(self.0, value);
    }
}

impl Histogram {
    /// The histogram of this name, made where there is none.
    ///
    /// # Errors
    /// As for [`Counter::new`].
    pub fn new(name: &str) -> Result<Self, Error> {
        Ok(Self(host::define_metric(Metric::Histogram, name)?))
    }

    /// One more value.
    pub fn record(&self, value: u64) {
        host::record_metric(self.0, value);
    }
}
