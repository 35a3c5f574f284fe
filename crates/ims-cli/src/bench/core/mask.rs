// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Masking and unmasking again, from either half.

use super::super::Outcome;
use super::super::row::Row;
use super::super::timing::{Effort, in_turns, repeat};
use super::PER_CPU;
use super::host::{Host, table};
use super::raise::Near;
use std::time::Duration;

pub(super) fn rows(effort: Effort) -> Outcome<Vec<Row>> {
    let mut near = Near::new(1, table)?;
    let mut host = Host::new(PER_CPU, 0, 1, table)?;
    let [data, control] = in_turns(
        effort,
        [&mut |batch| data_half(&mut near, batch), &mut |batch| {
            control_half(&mut host, batch)
        }],
    )?;
    Ok(vec![
        Row::figure("mask + unmask, data half", data),
        Row::figure("mask + unmask, control half", control),
    ])
}

fn data_half(near: &mut Near<ims::store::table::Table>, batch: Duration) -> Outcome<f64> {
    let port = near.host.port(0)?;
    let raiser = &mut near.raiser;
    repeat(batch, |watch| {
        watch.time(PER_CPU.into(), || {
            for index in 0..PER_CPU {
                port.mask(index);
                port.unmask(&raiser.enter(), index);
            }
        });
        Ok(())
    })
}

fn control_half(host: &mut Host, batch: Duration) -> Outcome<f64> {
    let Host {
        hierarchy,
        interrupts,
        ..
    } = host;
    repeat(batch, |watch| {
        watch.time(PER_CPU.into(), || {
            for token in interrupts.iter() {
                hierarchy.mask(*token)?;
                hierarchy.unmask(*token)?;
            }
            Ok(())
        })
    })
}
