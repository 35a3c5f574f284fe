// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Raising out of each kind of store.

use super::super::Outcome;
use super::super::row::Row;
use super::super::timing::{Effort, in_turns};
use super::calls::Calls;
use super::host::table;
use super::raise::Near;
use ims::store::CookieUse;
use ims::store::context::ContextMemory;
use ims::store::engines::{Engines, Spread};

const ENGINES: u32 = 4;
/// Contexts the device caches: more than there are, or each raise would miss.
const LINES: u32 = 1024;

pub(super) fn rows(effort: Effort, calls: &mut Calls) -> Outcome<Vec<Row>> {
    let engines = |spread| move |limit| Engines::new(ENGINES, limit, spread, CookieUse::Opaque);
    let context = |limit| ContextMemory::new(LINES, limit, CookieUse::Opaque);
    let mut slots = Near::new(1, table)?;
    let mut distributed = Near::new(ENGINES, engines(Spread::Distributed))?;
    let mut replicated = Near::new(ENGINES, engines(Spread::Replicated))?;
    let mut contexts = Near::new(1, context)?;
    let [slots, distributed, replicated, contexts, eventfd] = in_turns(
        effort,
        [
            &mut |batch| slots.fresh(batch, 1),
            &mut |batch| distributed.fresh(batch, 1),
            &mut |batch| replicated.fresh(batch, 1),
            &mut |batch| contexts.fresh(batch, 1),
            &mut |batch| calls.eventfd_write(batch),
        ],
    )?;
    let neighbour = Some(("eventfd write", eventfd));
    let named = [
        ("raise out of a table", slots),
        ("raise out of 4 engines, distributed", distributed),
        ("raise out of 4 engines, replicated", replicated),
        ("raise out of cached contexts", contexts),
    ];
    Ok(named
        .map(|(name, figure)| Row::figure(name, figure).beside(neighbour).at_most(25.0))
        .into())
}
