// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Descriptors a second: what submitting one costs, alone, many at a time, and in
//! batches.

use super::super::Outcome;
use super::super::row::Row;
use super::super::timing::{Effort, in_turns, repeat};
use super::subject::{Subject, WINDOW};
use ims_dsa::layout::{Descriptor, Flags, Opcode};
use std::time::Duration;
use zerocopy::IntoBytes;
use zerocopy::little_endian::{U32, U64};

/// A read of a register of the same device: a message each way.
const NEIGHBOUR: &str = "register read";

/// # Errors
/// What the driver says.
pub(super) fn rows(effort: Effort, subject: &mut Subject) -> Outcome<Vec<Row>> {
    let single = [subject.descriptor(Opcode::NoOp, 0, Flags::NONE)];
    let window: Vec<_> = (0..WINDOW)
        .map(|place| subject.descriptor(Opcode::NoOp, place, Flags::NONE))
        .collect();
    let batch = [batch(subject)?];
    let subject = std::cell::RefCell::new(subject);
    let run = |length: Duration, descriptors: &[Descriptor], count: u64| {
        let mut subject = subject.borrow_mut();
        repeat(length, |watch| {
            watch.time(count, || {
                subject.submit(descriptors)?;
                subject.wait(descriptors)
            })
        })
    };
    let [one, many, batched, read] = in_turns(
        effort,
        [
            &mut |length| run(length, &single, 1),
            &mut |length| run(length, &window, WINDOW as u64),
            &mut |length| run(length, &batch, WINDOW as u64),
            &mut |length| {
                let mut subject = subject.borrow_mut();
                repeat(length, |watch| {
                    watch.time(1, || subject.driver.state().map(|_| ()))?;
                    Ok(())
                })
            },
        ],
    )?;
    let name = |what: &str| format!("no-op descriptor, {what}");
    let row = |what, figure: super::super::timing::Figure| {
        Row::figure(name(what), figure)
            .beside(Some((NEIGHBOUR, read)))
            .note(format!("{:.0} a second", 1e9 / figure.median))
    };
    Ok(vec![
        row("one at a time", one),
        row("32 under way", many),
        row("in batches of 32", batched),
    ])
}

/// A batch of as many no-ops as a window has.
fn batch(subject: &mut Subject) -> Outcome<Descriptor> {
    let each = Descriptor::new(Opcode::NoOp, Flags::NONE);
    let list = subject.driver.arena.take(64 * WINDOW, 64)?;
    for place in 0..WINDOW as u64 {
        let at = list.address + 64 * place;
        subject.driver.arena.write(at, each.as_bytes())?;
    }
    Ok(Descriptor {
        source: U64::new(list.address),
        size: U32::new(u32::try_from(WINDOW)?),
        ..subject.descriptor(Opcode::Batch, 0, Flags::NONE)
    })
}
