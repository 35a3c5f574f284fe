// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Every request in every state, against the rules.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::cast_possible_truncation, unreachable_pub, dead_code)]

mod irqs_common;

use ims_vfio::irqs::{Kind, Lines, SetIrqs};
use irqs_common::model::{Data, Fd};
use irqs_common::world::World;

const ALL: Lines = Lines {
    intx: true,
    msi: 4,
    msix: 6,
    err: true,
    req: true,
};

const GOOD: Fd = Fd::Good(0);

/// The devices: without and with IMS (some vectors not backed), and bare ones.
fn devices() -> Vec<fn() -> World> {
    vec![
        || World::new(ALL, None),
        || {
            let mut world = World::new(ALL, Some(4));
            world.irqs.emulated(0..1).unwrap();
            world.irqs.plain(5..6).unwrap();
            world.model.vectors[2][0].declared = Some(Kind::Emulated);
            world.model.vectors[2][5].declared = Some(Kind::Plain);
            world
        },
        || {
            let msix = 3;
            World::new(
                Lines {
                    msix,
                    ..Lines::default()
                },
                Some(2),
            )
        },
        || World::new(Lines::default(), None),
    ]
}

fn header(flags: u32, index: u32, start: u32, count: u32) -> SetIrqs {
    SetIrqs {
        argsz: 20 + 4 * count.min(64),
        flags,
        index,
        start,
        count,
    }
}

fn triggers(world: &mut World, index: u32, start: u32, fds: &[Fd]) {
    let header = header(0x24, index, start, fds.len() as u32);
    world.set(header, Data::Fds(fds.to_vec()));
}

/// The states a device is brought to before each request.
fn states() -> Vec<fn(&mut World)> {
    vec![
        |_| {},
        |world| triggers(world, 0, 0, &[GOOD]),
        |world| triggers(world, 0, 0, &[Fd::Minus]),
        |world| {
            triggers(world, 0, 0, &[GOOD]);
            world.irqs.intx(true);
            world.model.asserted = !world.model.vectors[0].is_empty();
            world.model.settle_pin();
        },
        |world| {
            triggers(world, 0, 0, &[GOOD]);
            world.set(header(0x14, 0, 0, 1), Data::Fds(vec![GOOD]));
            world.set(header(0x09, 0, 0, 1), Data::None);
        },
        |world| triggers(world, 1, 0, &[GOOD, Fd::Minus]),
        |world| triggers(world, 1, 1, &[GOOD, GOOD]),
        |world| triggers(world, 2, 0, &[Fd::Minus]),
        |world| triggers(world, 2, 0, &[GOOD, GOOD, Fd::Minus]),
        |world| {
            triggers(world, 2, 1, &[GOOD, GOOD]);
            triggers(world, 3, 0, &[GOOD]);
            triggers(world, 4, 0, &[GOOD]);
        },
    ]
}

const RANGES: [(u32, u32); 12] = [
    (0, 0),
    (0, 1),
    (0, 2),
    (0, 4),
    (1, 0),
    (1, 1),
    (2, 3),
    (5, 1),
    (6, 0),
    (0, 7),
    (u32::MAX, 0),
    (2, u32::MAX - 2),
];

/// Data for `flags`: what fits, and what does not.
fn payloads(flags: u32, count: u32) -> Vec<Data> {
    let count = count.min(8) as usize;
    let fds = |fd: fn(usize) -> Fd, count: usize| Data::Fds((0..count).map(fd).collect());
    match flags & 7 {
        1 => vec![Data::None, Data::Bools(vec![1; count])],
        2 => vec![
            Data::Bools(vec![1; count]),
            Data::Bools((0..count).map(|at| 2 * (at as u8 % 2)).collect()),
            Data::Bools(vec![0; count]),
            Data::Bools(vec![1; count + 1]),
            Data::Bools(vec![1; count.saturating_sub(1)]),
            Data::None,
        ],
        4 => vec![
            fds(|_| Fd::Good(0), count),
            fds(|_| Fd::Minus, count),
            fds(|at| if at % 2 == 0 { GOOD } else { Fd::Minus }, count),
            fds(|at| if at == 1 { Fd::Bad } else { GOOD }, count),
            fds(|at| if at == 0 { Fd::Bad } else { GOOD }, count),
            fds(|_| Fd::Good(0), count + 1),
            fds(|_| Fd::Minus, 0),
            Data::None,
        ],
        _ => vec![Data::None, fds(|_| Fd::Good(0), count)],
    }
}

#[test]
fn every_request_in_every_state_is_answered_and_done_by_the_rules() {
    let mut cases = 0_u64;
    for device in devices() {
        for (number, state) in states().into_iter().enumerate() {
            let fresh = || {
                let mut world = device();
                state(&mut world);
                world.check();
                world
            };
            let mut world = fresh();
            let mut before = world.model.clone();
            for flags in (0..0x40).chain([0x60 | 1, 0x8000_0021]) {
                for (index, (start, count)) in
                    (0..6).flat_map(|index| RANGES.map(|range| (index, range)))
                {
                    for data in payloads(flags, count) {
                        let exact = match &data {
                            Data::None => 20,
                            Data::Bools(_) => 20_u32.saturating_add(count),
                            Data::Fds(_) => 20_u32.saturating_add(count.saturating_mul(4)),
                        };
                        // Sizes are looked at before any state is.
                        let sizes = [exact, 20, 0, 19, exact - 1, u32::MAX];
                        let sizes = if number == 0 { &sizes[..] } else { &sizes[..1] };
                        for &argsz in sizes {
                            let header = SetIrqs {
                                argsz,
                                ..header(flags, index, start, count)
                            };
                            world.set(header, data.clone());
                            cases += 1;
                            // The rest follows from the data alone.
                            if world.model != before {
                                world.check();
                                world = fresh();
                                before = world.model.clone();
                            }
                        }
                    }
                }
            }
            world.check();
        }
    }
    assert!(cases > 100_000, "{cases}");
}
