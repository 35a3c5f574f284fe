// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Any sequence of what driver and device may do, against a plain model; and any
//! sequence of what a driver should not.

use ims::message::Message;
use proptest::prelude::*;

use super::driver::{AREA, BYTES, Pair, QUEUES, VECTORS, message};
use crate::layout::vis::{ALL, Command, Error, MASK, NO_VECTOR, PENDING, header, register};
use crate::notifier::Event;

/// A step of a driver that does what it should, or of the device.
#[derive(Debug, Clone, Copy)]
enum Step {
    Mask(u32),
    /// And has what was kept sent.
    Unmask(u32),
    /// The RESEND that is due comes later, or not at all.
    UnmaskAlone(u32),
    /// And takes what was kept.
    UnmaskAndTake(u32),
    Resend(u32),
    Raise(u32),
    Used(u16),
    Config,
    /// Writes a message, or none, without a command.
    Program(u32, Option<u32>),
    Update(u32),
    UpdateRange(u32, u32),
    SetMap(u32, Option<u32>),
    Map(u32),
    Disable,
    Enable,
    Reset,
    /// Goes on as another device.
    Save,
}

fn step() -> impl Strategy<Value = Step> {
    let vector = 0..VECTORS;
    let queue = 0..u32::from(QUEUES);
    prop_oneof![
        3 => vector.clone().prop_map(Step::Mask),
        3 => vector.clone().prop_map(Step::Unmask),
        2 => vector.clone().prop_map(Step::UnmaskAlone),
        1 => vector.clone().prop_map(Step::UnmaskAndTake),
        1 => vector.clone().prop_map(Step::Resend),
        6 => vector.clone().prop_map(Step::Raise),
        4 => (0..QUEUES).prop_map(Step::Used),
        1 => Just(Step::Config),
        3 => (vector.clone(), prop::option::of(1u32..4)).prop_map(|(v, n)| Step::Program(v, n)),
        3 => prop_oneof![vector.clone(), Just(ALL), Just(VECTORS)].prop_map(Step::Update),
        1 => (0..VECTORS + 2, 0..VECTORS + 2).prop_map(|(f, c)| Step::UpdateRange(f, c)),
        2 => (queue.clone(), prop::option::of(vector)).prop_map(|(q, v)| Step::SetMap(q, v)),
        2 => prop_oneof![queue, Just(ALL), Just(u32::from(QUEUES))].prop_map(Step::Map),
        1 => Just(Step::Disable),
        2 => Just(Step::Enable),
        1 => Just(Step::Reset),
        1 => Just(Step::Save),
    ]
}

/// What the specification says, one thing after the other.
#[derive(Debug, Clone)]
struct Model {
    enabled: bool,
    written: Vec<Message>,
    latched: Vec<Message>,
    written_map: Vec<u32>,
    map: Vec<u32>,
    gates: Vec<u32>,
    sent: Vec<Message>,
}

impl Model {
    fn new() -> Self {
        Self {
            enabled: false,
            written: (0..VECTORS).map(message).collect(),
            latched: Vec::new(),
            written_map: (0..QUEUES.into()).collect(),
            map: Vec::new(),
            gates: vec![0; VECTORS as usize],
            sent: Vec::new(),
        }
    }

    fn raise(&mut self, vector: u32) {
        if !self.enabled {
            return;
        }
        let at = vector as usize;
        if self.gates[at] & MASK != 0 || self.latched[at] == Message::default() {
            self.gates[at] |= PENDING;
        } else {
            self.gates[at] &= !PENDING;
            self.sent.push(self.latched[at]);
        }
    }

    fn take(&mut self, vector: u32) {
        if self.enabled && self.gates[vector as usize] == PENDING {
            self.raise(vector);
        }
    }

    fn update(&mut self, first: u32, count: u32) -> Error {
        if !self.enabled {
            return Error::Command;
        }
        if first + count > VECTORS {
            return Error::Index;
        }
        for vector in first..first + count {
            self.latched[vector as usize] = self.written[vector as usize];
        }
        (first..first + count).for_each(|vector| self.take(vector));
        Error::None
    }

    fn enable(&mut self) -> Error {
        if self.enabled {
            return Error::Command;
        }
        self.enabled = true;
        self.map = self.written_map.clone();
        self.latched = vec![Message::default(); VECTORS as usize];
        self.update(0, VECTORS)
    }

    fn map(&mut self, queue: u32) -> Error {
        if !self.enabled {
            return Error::Command;
        }
        match queue {
            ALL => self.map = self.written_map.clone(),
            queue if queue < QUEUES.into() => {
                self.map[queue as usize] = self.written_map[queue as usize];
            }
            _ => return Error::Index,
        }
        Error::None
    }
}

/// Writes a command; what the state register says.
fn command(pair: &mut Pair, command: Command, argument: u32) -> Error {
    pair.asked += 1;
    pair.set(header::ASK, pair.asked);
    let enabled = pair.vis.enabled();
    pair.vis.write(register::COMMAND, command.with(argument));
    if enabled {
        assert_eq!(pair.get(header::DONE), pair.asked);
    }
    pair.state_error()
}

fn take_step(pair: &mut Pair, model: &mut Model, step: Step) {
    match step {
        Step::Mask(vector) => {
            pair.mask(vector);
            model.gates[vector as usize] |= MASK;
        }
        Step::Unmask(vector) => {
            if pair.unmask(vector) {
                pair.resend(vector);
            }
            model.gates[vector as usize] &= !MASK;
            model.take(vector);
        }
        Step::UnmaskAlone(vector) => {
            pair.unmask(vector);
            model.gates[vector as usize] &= !MASK;
        }
        Step::UnmaskAndTake(vector) => {
            pair.set_gate(vector, 0);
            model.gates[vector as usize] = 0;
        }
        Step::Resend(vector) => {
            pair.resend(vector);
            model.take(vector);
        }
        Step::Raise(vector) => {
            pair.port.raise(vector);
            model.raise(vector);
        }
        Step::Used(queue) => {
            assert_eq!(pair.port.event(Event::Used(queue)), model.enabled);
            let vector = model.map.get(usize::from(queue)).copied();
            if let Some(vector) = vector.filter(|vector| *vector != NO_VECTOR) {
                model.raise(vector);
            }
        }
        Step::Config => {
            assert_eq!(pair.port.event(Event::Config), model.enabled);
            model.raise(VECTORS - 1);
        }
        Step::Program(vector, data) => {
            let message = data.map_or_else(Message::default, |data| Message {
                address: 0xfee0_0000 + u64::from(data << 12),
                data,
            });
            pair.program(vector, message);
            model.written[vector as usize] = message;
        }
        Step::Update(vector) => {
            let (first, count) = if vector == ALL {
                (0, VECTORS)
            } else {
                (vector, 1)
            };
            let error = model.update(first, count);
            assert_eq!(command(pair, Command::Update, vector), error);
        }
        Step::UpdateRange(first, count) => {
            pair.set(header::FIRST, first);
            pair.set(header::COUNT, count);
            let error = model.update(first, count);
            assert_eq!(command(pair, Command::UpdateRange, 0), error);
        }
        Step::SetMap(queue, vector) => {
            let vector = vector.unwrap_or(NO_VECTOR);
            pair.set_map(queue, vector);
            model.written_map[queue as usize] = vector;
        }
        Step::Map(queue) => {
            let error = model.map(queue);
            assert_eq!(command(pair, Command::Map, queue), error);
        }
        Step::Disable => {
            model.enabled = false;
            assert_eq!(command(pair, Command::Disable, 0), Error::None);
        }
        Step::Enable => {
            let error = model.enable();
            assert_eq!(pair.try_enable(AREA), error);
        }
        Step::Reset => {
            model.enabled = false;
            pair.vis.reset();
        }
        Step::Save => {
            let state = pair.vis.save();
            pair.vis.reset();
            pair.vis.restore(&state).unwrap();
            assert_eq!(pair.vis.save(), state);
            (0..VECTORS).for_each(|vector| model.take(vector));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_driver_and_device_do_is_as_the_specification_says(
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let (mut pair, mut model) = (Pair::new(), Model::new());
        for step in steps {
            take_step(&mut pair, &mut model, step);
            prop_assert_eq!(pair.vis.enabled(), model.enabled);
            let gates: Vec<_> = (0..VECTORS).map(|vector| pair.gate(vector)).collect();
            prop_assert_eq!(&gates, &model.gates, "{:?}", step);
            prop_assert_eq!(pair.sink.taken(), std::mem::take(&mut model.sent), "{:?}", step);
        }
    }

    #[test]
    fn whatever_a_driver_writes_harms_nobody(
        steps in prop::collection::vec(
            prop_oneof![
                (0..BYTES / 4, any::<u32>()).prop_map(|(at, value)| (true, at * 4, value)),
                (0u64..0x280 / 4, prop_oneof![0u32..0x400, any::<u32>()])
                    .prop_map(|(at, value)| (true, AREA + at * 4, value)),
                (
                    prop::sample::select(vec![
                        register::ADDRESS_LOW,
                        register::ADDRESS_HIGH,
                        register::COMMAND,
                        register::COMMAND,
                        register::COMMAND,
                    ]),
                    prop_oneof![
                        any::<u32>(),
                        Just(0),
                        Just(AREA as u32),
                        (0u32..8, 0u32..12).prop_map(|(command, of)| command << 28 | of),
                        (0u32..8).prop_map(|command| command << 28 | ALL),
                    ],
                )
                    .prop_map(|(at, value)| (false, at, value)),
            ],
            1..120,
        ),
    ) {
        let mut pair = Pair::running();
        for (memory, at, value) in steps {
            if memory {
                pair.set(at.wrapping_sub(AREA), value);
            } else {
                pair.vis.write(at, value);
            }
            pair.port.raise(value % (VECTORS + 1));
            pair.port.event(Event::Used(value as u16 % (QUEUES + 1)));
            let saved = pair.vis.save();
            prop_assert_eq!(pair.vis.enabled(), saved.area.is_some());
            for sent in pair.sink.taken() {
                let latched = saved.area.iter().flat_map(|area| &area.messages);
                prop_assert!(
                    !memory || latched.clone().any(|message| *message == sent),
                    "sent what was not latched"
                );
            }
        }
        // And it can be used again.
        pair.vis.reset();
        pair.lay_out(super::driver::Shape::default());
        (0..VECTORS).for_each(|vector| pair.set_gate(vector, 0));
        pair.enable();
        pair.port.raise(1);
        prop_assert_eq!(pair.sent(), [1]);
    }
}
