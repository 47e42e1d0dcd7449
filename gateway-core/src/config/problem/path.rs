//! Paths into a configuration.

use std::{borrow::Cow, fmt};

/// The way from the top of a configuration to one place, `services[1].routes[0].paths[2]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Path(Vec<Step>);

/// One step of a [`Path`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Into a field.
    Field(Cow<'static, str>),
    /// Into an element of a list, counted from 0.
    Index(usize),
}

impl Step {
    pub(in crate::config) fn field(name: impl Into<Cow<'static, str>>) -> Self {
        Self::Field(name.into())
    }
}

impl Path {
    /// The steps, outermost first.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// How many steps there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether this is the whole configuration.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The path without its first `steps`.
    #[must_use]
    pub fn after(&self, steps: usize) -> Self {
        Self(self.0.get(steps..).unwrap_or_default().to_vec())
    }

    /// As Kong writes it: dots, and lists counted from 1 (compat A31).
    #[must_use]
    pub fn dotted(&self) -> String {
        let steps = self.0.iter().map(|step| match step {
            Step::Field(name) => name.to_string(),
            Step::Index(index) => (index + 1).to_string(),
        });
        steps.collect::<Vec<_>>().join(".")
    }

    pub(in crate::config) fn push(&mut self, step: Step) {
        self.0.push(step);
    }

    pub(in crate::config) fn pop(&mut self) {
        self.0.pop();
    }

    /// The path to the same place below `outer`.
    pub(in crate::config) fn below(&self, outer: &Self) -> Self {
        Self([outer.steps(), self.steps()].concat())
    }

    /// Puts another step in place of the one at `at`.
    pub(in crate::config) fn replace(&mut self, at: usize, step: Step) {
        if let Some(place) = self.0.get_mut(at) {
            *place = step;
        }
    }

    /// The path to a field below this one; dots in `name` are steps.
    pub(in crate::config) fn to(&self, name: &str) -> Self {
        let mut path = self.clone();
        path.0.extend(name.split('.').map(|part| Step::field(part.to_owned())));
        path
    }
}

impl FromIterator<Step> for Path {
    fn from_iter<I: IntoIterator<Item = Step>>(steps: I) -> Self {
        Self(steps.into_iter().collect())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) if at == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
