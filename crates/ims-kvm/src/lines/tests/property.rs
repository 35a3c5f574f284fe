// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Any sequence of writes, masks, moves, commits, failures and turns: each write is
//! delivered once, by a message that the vector had meanwhile, and never while it is
//! masked.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const VECTORS: u32 = 20;
/// Those that most of what happens happens to.
const HOT: u32 = 6;

#[derive(Debug, Clone)]
enum Op {
    /// Somebody writes, so often.
    Write(u32, u32),
    Mask(u32),
    Unmask(u32),
    /// A new message, masked or not.
    Move(u32),
    /// KVM may not send it by itself, or may again.
    Forward(u32, bool),
    /// Its message is none for KVM, or is one again.
    Malform(u32, bool),
    /// A range is masked and unmasked in one hold, with writes meanwhile.
    Function(u32, u32),
    /// A write, a turn and a commit while a vector is held.
    CommitHeld(u32),
    Close(u32),
    Accept(u32),
    Drain(u32),
    Want,
    Commit,
    Pins(BTreeSet<u32>),
    FailRoutes(u32),
    FailAttaches(u32),
    Turn(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let all = || 0..VECTORS;
    let hot = || prop_oneof![3 => 0..HOT, 1 => 0..VECTORS];
    prop_oneof![
        12 => (hot(), 1..4_u32).prop_map(|(index, times)| Op::Write(index, times)),
        3 => hot().prop_map(Op::Mask),
        4 => hot().prop_map(Op::Unmask),
        3 => hot().prop_map(Op::Move),
        1 => (hot(), any::<bool>()).prop_map(|(index, on)| Op::Forward(index, on)),
        1 => (hot(), any::<bool>()).prop_map(|(index, on)| Op::Malform(index, on)),
        1 => (all(), all()).prop_map(|(first, count)| Op::Function(first, count)),
        1 => hot().prop_map(Op::CommitHeld),
        1 => hot().prop_map(Op::Close),
        1 => hot().prop_map(Op::Accept),
        1 => hot().prop_map(Op::Drain),
        1 => Just(Op::Want),
        2 => Just(Op::Commit),
        1 => proptest::collection::btree_set(0..6_u32, 0..4).prop_map(Op::Pins),
        1 => (1..3_u32).prop_map(Op::FailRoutes),
        1 => (1..3_u32).prop_map(Op::FailAttaches),
        12 => (0..60_u64).prop_map(Op::Turn),
    ]
}

/// Messages that a vector has had since something was written, if something was.
type Since = Option<BTreeSet<u32>>;

/// What is owed to the writers.
struct Owed {
    /// By vector: written, and seen by nobody yet.
    written: Vec<Since>,
    /// By vector: raised, and not delivered yet.
    raised: Vec<Since>,
    pins: BTreeSet<u32>,
}

impl Owed {
    fn new() -> Self {
        Self {
            written: vec![None; VECTORS as usize],
            raised: vec![None; VECTORS as usize],
            pins: (0..PINS).collect(),
        }
    }

    fn write(&mut self, world: &World, index: u32) {
        let version = world.guest.vector(index).version;
        self.written[index as usize]
            .get_or_insert_default()
            .insert(version);
        world.write(index);
        self.settle(world);
    }

    /// What was raised had been written, what was delivered had been raised, and by a
    /// message that the vector had since.
    fn settle(&mut self, world: &World) {
        for index in std::mem::take(&mut *world.guest.raised.lock().unwrap()) {
            let written = self.written[index as usize].take();
            let written = written.unwrap_or_else(|| panic!("{index}: raised again"));
            self.raised[index as usize]
                .get_or_insert_default()
                .extend(written);
        }
        for sent in world.vm.delivered() {
            let (index, version) = (sent.data & 0xff, sent.data >> 8);
            assert!(!world.guest.vector(index).masked, "{index} is masked");
            let from = match sent.irqfd {
                true => &mut self.written,
                false => &mut self.raised,
            };
            let since = from[index as usize].take();
            let since = since.unwrap_or_else(|| panic!("{index}: repeated"));
            assert!(since.contains(&version), "{index}: {version} of {since:?}");
        }
    }

    /// A guest's write to one entry.
    fn change(&mut self, world: &World, index: u32, change: impl FnOnce(&mut Vector)) {
        let held = world.lines.hold(index..index + 1);
        self.settle(world);
        self.change_held(world, index, change);
        drop(held);
        self.settle(world);
    }

    fn change_held(&mut self, world: &World, index: u32, change: impl FnOnce(&mut Vector)) {
        assert!(!world.lines.has_eventfd(index) || !world.is_irqfd(index));
        world.guest.change(index, |vector| {
            change(vector);
            for since in [&mut self.written, &mut self.raised] {
                if let Some(since) = &mut since[index as usize] {
                    since.insert(vector.version);
                }
            }
        });
        self.settle(world);
    }

    /// The committed table has the pins' routes, if it was committed at all, and no GSI
    /// of theirs is a vector's.
    fn check_table(&self, world: &World) {
        let routes = world.vm.routes();
        let is_msi =
            |route: &&kvm_irq_routing_entry| route.type_ == kvm_bindings::KVM_IRQ_ROUTING_MSI;
        let pins: BTreeSet<_> = routes
            .iter()
            .filter(|route| !is_msi(route))
            .map(|route| route.gsi)
            .collect();
        if !routes.is_empty() {
            assert_eq!(pins, self.pins);
        }
        let report = world.interrupts.report();
        assert_eq!(report.promoted, world.vm.irqfds() as u64);
        assert_eq!(report.commits, world.vm.commits());
        if report.commits > report.failed_commits {
            assert_eq!(report.routes, routes.len() as u64);
        }
    }
}

fn apply(world: &World, owed: &mut Owed, op: Op) {
    match op {
        Op::Write(index, times) => (0..times).for_each(|_| owed.write(world, index)),
        Op::Mask(index) => owed.change(world, index, |vector| vector.masked = true),
        Op::Unmask(index) => owed.change(world, index, |vector| vector.masked = false),
        Op::Move(index) => owed.change(world, index, |vector| vector.version += 1),
        Op::Forward(index, on) => {
            owed.change(world, index, |vector| vector.forwarded_only = on);
        }
        Op::Malform(index, on) => owed.change(world, index, |vector| vector.malformed = on),
        Op::Function(first, count) => {
            let range = first..(first + count).min(VECTORS);
            let held = world.lines.hold(range.clone());
            owed.settle(world);
            let was: Vec<_> = range
                .clone()
                .map(|index| world.guest.vector(index).masked)
                .collect();
            for index in range.clone() {
                owed.change_held(world, index, |vector| vector.masked = true);
                owed.write(world, index);
            }
            turn(world, owed, 1);
            for (index, was) in range.zip(was) {
                owed.change_held(world, index, |vector| vector.masked = was);
            }
            drop(held);
        }
        Op::CommitHeld(index) => {
            let held = world.lines.hold(index..index + 1);
            owed.settle(world);
            owed.write(world, index);
            turn(world, owed, 1);
            let _ = world.commit();
            owed.change_held(world, index, |vector| vector.version += 1);
            drop(held);
        }
        Op::Close(index) => world.lines.close(index),
        Op::Accept(index) => {
            let eventfd = vmm_sys_util::eventfd::EventFd::new(0).unwrap();
            world.lines.accept(index, eventfd).unwrap();
        }
        Op::Drain(index) => {
            world.lines.drain(index..index + 1);
            owed.settle(world);
            let left = &owed.written[index as usize];
            assert!(
                left.is_none(),
                "{index}: written, and not raised by draining"
            );
        }
        Op::Want => world.lines.want_routes(),
        Op::Commit => {
            let _ = world.commit();
        }
        Op::Pins(gsis) => {
            if world
                .interrupts
                .set_pins(&pins(gsis.iter().copied()))
                .is_ok()
            {
                owed.pins = gsis;
            }
        }
        Op::FailRoutes(times) => world.vm.fail_routes(times),
        Op::FailAttaches(times) => world.vm.fail_attaches(times),
        Op::Turn(milliseconds) => turn(world, owed, milliseconds),
    }
    owed.settle(world);
    owed.check_table(world);
}

fn turn(world: &World, owed: &mut Owed, milliseconds: u64) {
    world.turn(Duration::from_millis(milliseconds));
    owed.settle(world);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_write_is_delivered_once_and_never_while_masked(
        gsis in PINS + 1..10_u32,
        ops in proptest::collection::vec(op(), 1..250),
    ) {
        let world = world(VECTORS, gsis);
        let mut owed = Owed::new();
        for op in ops {
            apply(&world, &mut owed, op);
        }
        for index in 0..VECTORS {
            owed.write(&world, index);
        }
        for index in 0..VECTORS {
            owed.change(&world, index, |vector| vector.masked = false);
        }
        turn(&world, &mut owed, 0);
        prop_assert!(owed.written.iter().all(Option::is_none), "{:?}", owed.written);
        prop_assert!(owed.raised.iter().all(Option::is_none), "{:?}", owed.raised);
        // And nothing comes after.
        world.vm.fail_routes(0);
        world.vm.fail_attaches(0);
        world.settle();
        owed.settle(&world);
        owed.check_table(&world);
        drop(world.lines);
        prop_assert_eq!(world.vm.irqfds(), 0);
    }
}
