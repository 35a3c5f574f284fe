// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Anything a client and a device can do, in any order, against the model.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    unreachable_pub,
    dead_code,
    reason = "tests"
)]

mod irqs_common;

use ims::store::Cookie;
use ims_vfio::irqs::{Kind, Lines, SetIrqs, Signalled, TriggerError};
use irqs_common::model::{Data, EINVAL, Fd, Vector};
use irqs_common::world::{World, make};
use proptest::prelude::*;

const LINES: Lines = Lines {
    intx: true,
    msi: 4,
    msix: 40,
    err: true,
    req: true,
};

/// MSI-X vectors that are used: on both sides of a chunk's end.
const VECTORS: [u32; 6] = [0, 1, 2, 31, 32, 39];

#[derive(Debug, Clone)]
enum Op {
    Set(SetIrqs, Data),
    Trigger(u32, u32),
    Intx(bool),
    UnmaskWritten,
    UnmaskIdle,
    Raise(u32),
    Hold(u32),
    Handle(u32),
    Revoke(u32),
    RevokeAll,
    Cookie(u32, Option<u64>),
    Declare(u32, Kind),
    Reset,
    ResetFunction,
    Move,
}

fn fd() -> impl Strategy<Value = Fd> {
    prop_oneof![6 => Just(Fd::Good(0)), 2 => Just(Fd::Minus), 1 => Just(Fd::Bad)]
}

fn sensible() -> impl Strategy<Value = Op> {
    let index = prop_oneof![
        Just(0_u32),
        Just(1),
        Just(2),
        Just(2),
        Just(2),
        Just(3),
        Just(4)
    ];
    let action = prop_oneof![6 => Just(0x20), 1 => Just(0x08), 1 => Just(0x10)];
    let start = prop_oneof![Just(0), Just(0), 0..4_u32, 29..40_u32];
    let data = prop_oneof![
        1 => Just(Data::None),
        1 => prop::collection::vec(0..3_u8, 0..4).prop_map(Data::Bools),
        4 => prop::collection::vec(fd(), 0..4).prop_map(Data::Fds),
    ];
    (index, action, start, 0..3_u32, data).prop_map(|(index, action, start, none, data)| {
        let (kind, count) = match &data {
            Data::None => (1, none),
            Data::Bools(bools) => (2, bools.len() as u32),
            Data::Fds(fds) => (4, fds.len() as u32),
        };
        let start = if index == 2 { start } else { 0 };
        let header = SetIrqs {
            argsz: 20 + 4 * count,
            flags: kind | action,
            index,
            start,
            count,
        };
        Op::Set(header, data)
    })
}

fn wild() -> impl Strategy<Value = Op> {
    let edge = || prop_oneof![any::<u32>(), 0..64_u32, Just(u32::MAX), Just(u32::MAX - 1)];
    let data = prop_oneof![
        Just(Data::None),
        prop::collection::vec(any::<u8>(), 0..4).prop_map(Data::Bools),
        prop::collection::vec(fd(), 0..4).prop_map(Data::Fds),
    ];
    (edge(), edge(), edge(), edge(), edge(), data).prop_map(
        |(argsz, flags, index, start, count, data)| {
            let header = SetIrqs {
                argsz,
                flags,
                index,
                start,
                count,
            };
            Op::Set(header, data)
        },
    )
}

fn op() -> impl Strategy<Value = Op> {
    let vector = || prop::sample::select(&VECTORS[..]);
    let kind = prop_oneof![Just(Kind::Backed), Just(Kind::Emulated), Just(Kind::Plain)];
    prop_oneof![
        12 => sensible(),
        2 => wild(),
        3 => (0..6_u32, prop_oneof![0..4_u32, vector(), any::<u32>()])
            .prop_map(|(index, sub)| Op::Trigger(index, sub)),
        3 => any::<bool>().prop_map(Op::Intx),
        1 => Just(Op::UnmaskWritten),
        1 => Just(Op::UnmaskIdle),
        3 => vector().prop_map(Op::Raise),
        2 => vector().prop_map(Op::Hold),
        2 => vector().prop_map(Op::Handle),
        2 => vector().prop_map(Op::Revoke),
        1 => Just(Op::RevokeAll),
        1 => (vector(), prop::option::of(any::<u64>())).prop_map(|(v, c)| Op::Cookie(v, c)),
        1 => (vector(), kind).prop_map(|(v, kind)| Op::Declare(v, kind)),
        1 => Just(Op::Reset),
        1 => Just(Op::ResetFunction),
        1 => Just(Op::Move),
    ]
}

fn vector(world: &mut World, vector: u32) -> &mut Vector {
    &mut world.model.vectors[2][vector as usize]
}

fn trigger(world: &mut World, index: u32, sub: u32) {
    let answer = world.irqs.trigger(index, sub);
    let model = &mut world.model;
    let there = index < 5 && (sub as usize) < model.vectors[index as usize].len();
    let wanted = if !there {
        Err(TriggerError::NoSuchVector)
    } else if index == 0 {
        Err(TriggerError::Pin)
    } else if index == 2 && model.kind(sub) == Kind::Backed {
        Err(TriggerError::Backed)
    } else {
        let one = &mut model.vectors[index as usize][sub as usize];
        match one.fd {
            Some(fd) => {
                model.signal(Some(fd));
                Ok(Signalled::Now)
            }
            None if one.awaiting => {
                one.owed = true;
                Ok(Signalled::Later)
            }
            None => Err(TriggerError::NoTrigger),
        }
    };
    assert_eq!(answer, wanted, "{index} {sub} {:?}", world.model);
}

/// A handle is the same until it is revoked, and names nothing afterwards.
fn handle(world: &mut World, at: u32) {
    let answer = world.irqs.handle(at);
    if world.model.kind(at) != Kind::Backed {
        assert_eq!(answer.unwrap_err().errno().raw_os_error(), EINVAL);
        return;
    }
    let one = vector(world, at);
    if one.fd.is_none() {
        assert_eq!(answer.unwrap_err().errno().raw_os_error(), 2);
        return;
    }
    let slot = match one.slot {
        Some(slot) => Ok(slot),
        None => world.model.alloc(at),
    };
    match slot {
        Err(errno) => assert_eq!(answer.unwrap_err().errno().raw_os_error(), errno),
        Ok(slot) => {
            let handle = answer.unwrap();
            assert_eq!((handle.vector(), handle.index()), (at, slot));
            assert_eq!(world.irqs.resolve(handle), Some(slot));
            assert_eq!(world.irqs.handle(at).unwrap(), handle);
        }
    }
}

fn revoke(world: &mut World, at: u32) -> bool {
    let one = vector(world, at);
    let Some(slot) = one.slot.take() else {
        return false;
    };
    one.former = Some(slot);
    let (held, fd) = (std::mem::take(&mut one.held), one.fd);
    world.model.cookies.remove(&slot);
    world.model.generation += 1;
    if held {
        world.model.signal(fd);
    }
    true
}

/// Saves, and goes on with a device on another host.
fn migrate(world: &mut World) {
    let saved = world.irqs.save();
    let limit = world.model.library.then_some(world.model.limit);
    let (irqs, fake) = make(LINES, limit);
    for (at, one) in (0..).zip(&world.model.vectors[2]) {
        if let Some(kind) = one.declared {
            irqs.declare(at..at + 1, kind).unwrap();
        }
    }
    irqs.restore(&saved).unwrap();
    assert_eq!(irqs.save(), saved);
    world.check();
    (world.irqs, world.fake) = (irqs, fake);
    world.clients.clear();

    let model = &mut world.model;
    (model.active, model.unmask, model.generation) = (None, None, 0);
    model.masked |= model.signalled;
    model.signalled = false;
    model.cookies.clear();
    model.vectors[0][0].fd = None;
    for vector in model.vectors[1..3].iter_mut().flatten() {
        vector.awaiting |= vector.fd.take().is_some();
        vector.owed |= std::mem::take(&mut vector.held);
        (vector.slot, vector.former) = (None, None);
        // Nothing was saved of a vector that had nothing to say.
        vector.used = vector.awaiting || vector.cookie.is_some();
    }
    for vector in model.vectors[3..].iter_mut().flatten() {
        vector.fd = None;
    }
}

fn apply(world: &mut World, op: Op) {
    match op {
        Op::Set(header, data) => {
            world.set(header, data);
        }
        Op::Trigger(index, sub) => trigger(world, index, sub),
        Op::Intx(asserted) => {
            world.irqs.intx(asserted);
            world.model.asserted = asserted;
            world.model.settle_pin();
        }
        Op::UnmaskWritten => {
            if let Some(fd) = world.model.unmask {
                rustix::io::write(&world.clients[&fd], &3_u64.to_ne_bytes()).unwrap();
                world.irqs.unmask_signalled();
                world.model.unmask_pin();
            }
        }
        Op::UnmaskIdle => world.irqs.unmask_signalled(),
        Op::Raise(at) => {
            if let Some(slot) = vector(world, at).slot {
                world.fake.raise(slot);
                let fd = vector(world, at).fd;
                world.model.signal(fd);
            }
        }
        Op::Hold(at) => {
            if let Some(slot) = vector(world, at).slot {
                world.fake.hold(slot);
                vector(world, at).held = true;
            }
        }
        Op::Handle(at) => handle(world, at),
        Op::Revoke(at) => {
            let before = world.irqs.ims_index(at).ok();
            let old = before.map(|_| world.irqs.handle(at).unwrap());
            let wanted = revoke(world, at);
            assert_eq!(world.irqs.revoke(at), wanted);
            assert_eq!(old.and_then(|old| world.irqs.resolve(old)), None);
        }
        Op::RevokeAll => {
            let revoked = world.irqs.revoke_all();
            let count = (0..LINES.msix).filter(|at| revoke(world, *at)).count();
            assert_eq!(revoked as usize, count);
        }
        Op::Cookie(at, cookie) => {
            let answer = world.irqs.set_cookie(at, cookie.map(Cookie));
            let backed = world.model.kind(at) == Kind::Backed;
            assert_eq!(answer.is_ok(), backed);
            if backed {
                let one = vector(world, at);
                (one.cookie, one.used) = (cookie, true);
            }
        }
        Op::Declare(at, kind) => {
            let possible = kind != Kind::Backed || world.model.library;
            let answer = world.irqs.declare(at..at + 1, kind);
            let used = vector(world, at).used;
            assert_eq!(answer.is_ok(), possible && !used, "{:?}", world.model);
            if answer.is_ok() {
                vector(world, at).declared = Some(kind);
            }
        }
        Op::Reset => {
            world.irqs.reset();
            world.model.disable();
            world.model.clear_all(3);
            world.model.clear_all(4);
        }
        Op::ResetFunction => {
            world.irqs.reset_function();
            world.model.disable();
        }
        Op::Move => migrate(world),
    }
    world.check();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_client_and_device_do_is_as_the_model_has_it(
        limit in prop::option::of(1..5_u32),
        ops in prop::collection::vec(op(), 1..60),
    ) {
        let mut world = World::new(LINES, limit);
        for op in ops {
            apply(&mut world, op);
        }
    }
}
