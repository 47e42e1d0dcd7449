//! Groups of endpoints that stand in for each other, and endpoints that warm up.

/// Healthy weight counts so much more than it is, so that a group that has lost a little keeps all its traffic
/// (Envoy's overprovisioning factor).
const OVERPROVISIONING: f64 = 1.4;

/// The sum of the weights that are laid out anew.
const TOTAL: f64 = 10_000.0;

/// One endpoint, as its share of the traffic is worked out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Graded {
    /// Its weight; 0: it gets nothing.
    pub weight: u16,
    /// Its level: lower ones come first, others stand in for them.
    pub level: u32,
    /// How much of its share it can take: 0 where it is unwell, 1 where it is well, between them while it warms up.
    pub readiness: f64,
}

/// The weights to balance by: those of the lowest level, as long as enough of it is well. What it cannot take goes to
/// the next levels, in their order, as Envoy's priorities do: a level of which the share h is well takes at most 1.4 h
/// of all traffic. Where all levels together cannot take everything, each takes its part of what there is.
///
/// Where one level takes everything and nobody warms up, its weights are what they were. Whoever is unwell gets 0.
///
/// ```
/// use gateway_core::balance::{Graded, spill_over};
///
/// let at = |level, readiness| Graded { weight: 100, level, readiness };
/// assert_eq!(spill_over(&[at(1, 1.0), at(1, 1.0), at(2, 1.0)]), [100, 100, 0]);
/// // Half of the first level is well: it takes 70 %.
/// assert_eq!(spill_over(&[at(1, 1.0), at(1, 0.0), at(2, 1.0)]), [7_000, 0, 3_000]);
/// assert_eq!(spill_over(&[at(1, 0.0), at(1, 0.0), at(2, 1.0)]), [0, 0, 100]);
/// ```
#[must_use]
pub fn spill_over(endpoints: &[Graded]) -> Vec<u16> {
    let loads = loads(endpoints);
    let one_is_enough = loads.iter().filter(|load| load.share > 0.0).count() <= 1;
    let nobody_warms_up = endpoints.iter().all(|it| it.readiness <= 0.0 || it.readiness >= 1.0);
    let share = |it: &Graded| match loads.iter().find(|load| load.level == it.level) {
        Some(load) if it.readiness > 0.0 && it.weight > 0 && load.share > 0.0 => {
            if one_is_enough && nobody_warms_up { it.weight } else { load.part_of(it) }
        }
        _ => 0,
    };
    endpoints.iter().map(share).collect()
}

/// What a level takes.
struct Load {
    level: u32,
    /// All its weight.
    total: f64,
    /// That of those who are well.
    ready: f64,
    /// Its share of all traffic.
    share: f64,
}

impl Load {
    /// The weight of one of its endpoints; never 0, as it is well.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is clamped")]
    fn part_of(&self, endpoint: &Graded) -> u16 {
        let part = f64::from(endpoint.weight) * endpoint.readiness / self.ready;
        (part * self.share * TOTAL).round().clamp(1.0, f64::from(u16::MAX)) as u16
    }
}

/// The levels, lowest first, with what each takes.
fn loads(endpoints: &[Graded]) -> Vec<Load> {
    let mut loads: Vec<Load> = Vec::new();
    for it in endpoints.iter().filter(|it| it.weight > 0) {
        let at = loads.iter().position(|load| load.level == it.level).unwrap_or(loads.len());
        if at == loads.len() {
            loads.push(Load { level: it.level, total: 0.0, ready: 0.0, share: 0.0 });
        }
        if let Some(load) = loads.get_mut(at) {
            load.total += f64::from(it.weight);
            load.ready += f64::from(it.weight) * it.readiness;
        }
    }
    loads.sort_by_key(|load| load.level);
    let mut left = 1.0;
    for load in &mut loads {
        load.share = (OVERPROVISIONING * load.ready / load.total).min(left);
        left -= load.share;
    }
    // All of them together take everything there is. Rounding may leave a trace where nothing is left.
    let taken = 1.0 - left;
    for load in &mut loads {
        load.share = if load.share > 1e-9 { load.share / taken } else { 0.0 };
    }
    loads
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Graded, spill_over};

    fn at(level: u32, readiness: f64) -> Graded {
        Graded { weight: 100, level, readiness }
    }

    #[test]
    fn a_level_that_has_lost_a_little_keeps_everything() {
        // 5 of 7 are 71.4 %: times 1.4 that is all.
        let mut endpoints = vec![at(0, 1.0); 5];
        endpoints.extend([at(0, 0.0), at(0, 0.0), at(1, 1.0)]);
        assert_eq!(spill_over(&endpoints), [100, 100, 100, 100, 100, 0, 0, 0]);
    }

    #[test]
    fn where_nothing_is_enough_each_takes_its_part() {
        // A quarter of each is well: 35 % and 35 %.
        let mut endpoints = Vec::new();
        for level in [0, 1] {
            endpoints.extend([at(level, 1.0), at(level, 0.0), at(level, 0.0), at(level, 0.0)]);
        }
        assert_eq!(spill_over(&endpoints), [5_000, 0, 0, 0, 5_000, 0, 0, 0]);
        assert_eq!(spill_over(&[at(0, 0.0), at(1, 0.0)]), [0, 0]);
        assert!(spill_over(&[]).is_empty());
    }

    #[test]
    fn a_level_comes_back_as_it_warms_up() {
        let returned = |readiness| spill_over(&[at(0, readiness), at(1, 1.0)]);
        assert_eq!(returned(0.1), [1_400, 8_600]);
        assert_eq!(returned(0.5), [7_000, 3_000]);
        assert_eq!(returned(0.72)[1], 0);
        assert_eq!(returned(1.0), [100, 0]);
    }

    #[test]
    fn one_that_warms_up_gets_less_than_the_others_of_its_level() {
        assert_eq!(spill_over(&[at(0, 1.0), at(0, 0.25)]), [8_000, 2_000]);
    }

    proptest! {
        #[test]
        fn who_is_well_in_a_level_that_is_needed_gets_something_and_nobody_else(
            endpoints in proptest::collection::vec((0u16..500, 0u32..4, 0u8..=4), 1..40),
        ) {
            let endpoints: Vec<_> = endpoints
                .into_iter()
                .map(|(weight, level, quarters)| Graded { weight, level, readiness: f64::from(quarters) / 4.0 })
                .collect();
            let weights = spill_over(&endpoints);
            let takes = |it: &Graded| it.weight > 0 && it.readiness > 0.0;
            let first = endpoints.iter().filter(|it| takes(it)).map(|it| it.level).min();
            prop_assert_eq!(weights.iter().any(|weight| *weight > 0), first.is_some());
            for (it, weight) in endpoints.iter().zip(&weights) {
                prop_assert!(takes(it) || *weight == 0);
                if Some(it.level) == first && takes(it) {
                    prop_assert!(*weight > 0);
                }
            }
        }

        #[test]
        fn what_is_lost_in_a_level_never_takes_traffic_from_the_ones_after_it(well in 0usize..=10) {
            let of_second = |well: usize| {
                let mut endpoints = vec![at(0, 1.0); well];
                endpoints.extend(vec![at(0, 0.0); 10 - well]);
                endpoints.extend([at(1, 1.0), at(1, 1.0)]);
                let weights = spill_over(&endpoints);
                let sum = |weights: &[u16]| weights.iter().map(|weight| f64::from(*weight)).sum::<f64>();
                sum(&weights[10..]) / sum(&weights)
            };
            prop_assert!(well == 0 || of_second(well - 1) >= of_second(well) - 0.001);
        }
    }
}
