//! How often something may happen.

mod calendar;
mod local;
#[cfg(test)]
mod models;
mod rule;
mod verdict;
