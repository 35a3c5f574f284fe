// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Raises whose sources come in no order.

use super::super::Outcome;
use super::super::row::Row;
use super::super::timing::{Effort, in_turns, repeat};
use super::PER_CPU;
use super::host::{Host, UNIT, table};
use ims::domain::Raised;
use ims::grace::Raiser;
use std::hint::black_box;
use std::time::Duration;

/// Numbers in no order: Marsaglia's xorshift, seeded so that runs are alike.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u32) -> Self {
        Self(0x9e37_79b9_7f4a_7c15 ^ u64::from(seed))
    }

    /// A number below `limit`.
    #[inline]
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        // The high half times the limit: its high half is below the limit.
        (((self.0 >> 32) * u64::from(limit)) >> 32) as u32
    }
}

/// Raises random ones of all interrupts of `host`, few enough between two harvests
/// that hardly any meet.
pub(super) fn raises(
    host: &Host,
    raiser: &mut Raiser,
    random: &mut Random,
    batch: Duration,
) -> Outcome<f64> {
    let count = u32::try_from(host.interrupts.len())?;
    let at_once = count / 64;
    let ports: Vec<_> = host.domains.iter().map(|(_, port)| port).collect();
    repeat(batch, |watch| {
        let sent = watch.time(at_once.into(), || {
            let mut sent = true;
            for _ in 0..at_once {
                let number = random.below(count);
                let Some(port) = ports.get((number / UNIT) as usize) else {
                    return false;
                };
                let raised = port.raise(&raiser.enter(), 0, number % UNIT, None);
                sent &= matches!(black_box(raised), Raised::Sent(_));
            }
            sent
        });
        let harvested = host.fleet.harvest();
        if sent && harvested > u64::from(at_once / 2) {
            Ok(())
        } else {
            Err("random raises were not delivered".into())
        }
    })
}

/// 4,000 sources: what one busy device has.
pub(super) fn four_thousand(effort: Effort) -> Outcome<Vec<Row>> {
    const COUNT: u32 = 4_000;
    let mut host = Host::new(COUNT, 0, COUNT / PER_CPU, table)?;
    let mut raiser = host.hierarchy.raiser();
    let mut random = Random::new(COUNT);
    let [figure] = in_turns(
        effort,
        [&mut |batch| raises(&host, &mut raiser, &mut random, batch)],
    )?;
    Ok(vec![Row::figure("raise, random of 4000", figure)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_numbers_fall_everywhere_below_their_limit() {
        let mut random = Random::new(1);
        let mut seen = [0u32; 10];
        for _ in 0..10_000 {
            seen[random.below(10) as usize] += 1;
        }
        assert!(seen.iter().all(|&times| times > 800), "{seen:?}");
    }
}
