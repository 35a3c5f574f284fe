// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One thing that all three servers do, in turns.

use super::super::Outcome;
use super::super::row::Row;
use super::super::timing::{Effort, figure, ratio, rounds};
use super::published;
use super::servers::{FLOOR, Served, Servers};
use std::time::Duration;

/// What came of it, by round: nanoseconds, or whatever.
#[derive(Debug)]
pub(super) struct Compared<T = f64> {
    pub(super) ours: Vec<T>,
    pub(super) published: Vec<T>,
    pub(super) floor: Vec<T>,
}

/// Has each server do `what` for a batch, round after round.
///
/// # Errors
/// The first that a server or its client reports.
pub(super) fn compare<T>(
    effort: Effort,
    servers: &mut Servers,
    what: impl Fn(&mut Served, Duration) -> Outcome<T>,
) -> Outcome<Compared<T>> {
    let Servers {
        ours,
        published,
        floor,
    } = servers;
    let [ours, published, floor] = rounds(
        effort,
        [
            &mut |batch| what(ours, batch),
            &mut |batch| what(published, batch),
            &mut |batch| what(floor, batch),
        ],
    )?;
    Ok(Compared {
        ours,
        published,
        floor,
    })
}

impl<T> Compared<T> {
    /// One of several things that were measured at once.
    pub(super) fn map<U>(&self, of: impl Fn(&T) -> U) -> Compared<U> {
        let all = |batches: &[T]| batches.iter().map(&of).collect();
        Compared {
            ours: all(&self.ours),
            published: all(&self.published),
            floor: all(&self.floor),
        }
    }
}

impl Compared {
    /// How long it takes, in this server and in the published crate's, each beside
    /// the floor.
    pub(super) fn rows(&self, name: &str) -> [Row; 2] {
        let floor = Some((FLOOR, figure(self.floor.clone())));
        [
            Row::figure(name, figure(self.ours.clone())).beside(floor),
            Row::figure(
                format!("{name}, {}", published::NAME),
                figure(self.published.clone()),
            )
            .beside(floor),
        ]
    }

    /// How many times the floor's this server's is.
    pub(super) fn over_floor(&self) -> f64 {
        ratio(&self.ours, &self.floor)
    }

    /// How many times this server's the floor's is.
    pub(super) fn under_floor(&self) -> f64 {
        ratio(&self.floor, &self.ours)
    }
}
