// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Composing: functions, VMs, and the interfaces that connect them.

use std::sync::Arc;

use ims::domain::Request;
use ims::store::{Pasid, Store};
use ims_dsa::{AddressSpace, Client};
use ims_host::{Form, Host, Irq};
use vm_memory::GuestMemoryMmap;

use super::error::{RunError, host};
use super::function::Function;
use super::kvm::{Ground, Guest};
use super::lane::{Lane, Parts};
use super::plan::Plan;
use super::pump::Pump;
use super::scenario::{On, Scenario};
use super::turns::Turns;
use super::vm::{Division, Vm, memory};

/// Operations under way for each vCPU on KVM: enough that none idles, and few enough
/// that the lowest vector is taken soon.
const TURNS: u32 = 2;

/// Everything a run consists of.
pub(super) struct World<S: Store> {
    pub(super) scenario: Scenario,
    pub(super) adis: Vec<Adi>,
    pub(super) functions: Vec<Function<S>>,
    pub(super) vms: Vec<Arc<Vm>>,
    /// What the VMs are on KVM, in their order; nothing on soft CPUs.
    pub(super) guests: Vec<Guest>,
    pub(super) on: On,
    pub(super) pump: Arc<Pump>,
    pub(super) division: Division,
    /// Where in the run's part of each VM's memory a hostile submitter has its completion record.
    pub(super) scratch: u64,
    pub(super) notes: Vec<String>,
    pub(super) host: Host,
    /// Interrupts allocated since the run began.
    pub(super) allocated_in_all: u64,
}

/// One assignable device interface.
pub(super) struct Adi {
    pub(super) number: u32,
    pub(super) function: usize,
    pub(super) pasid: Pasid,
    pub(super) lanes: Vec<(Arc<Lane>, Irq)>,
}

impl<S: Store> World<S> {
    /// Starts VMs and functions and composes every interface. `store` makes the
    /// store of a function with so many slots; `progress` hears of each interface.
    pub(super) fn compose(
        scenario: Scenario,
        ground: Ground,
        store: impl Fn(u32) -> S,
        progress: impl Fn(u32),
    ) -> Result<Self, RunError> {
        let mut plan = Plan::new(&scenario);
        plan.notes.extend(ground.note);
        let on = Host::new();
        let division = Division {
            bytes: scenario.bytes,
            depth: scenario.depth,
        };
        let bytes = division.total(plan.lanes_per_vm);
        let (mut vms, mut guests) = (Vec::new(), Vec::new());
        for number in 0..scenario.vms {
            let vm = match ground.on {
                On::Soft => {
                    let space = on
                        .add_space(plan.vcpus, Form::Posted)
                        .map_err(host("starting vCPUs"))?;
                    Vm::new(number, space, memory(number, bytes)?, 0, Turns::new(None))?
                }
                On::Kvm => {
                    let guest = Guest::start(&on, number, plan.vcpus, bytes)?;
                    let memory = guest.memory().clone();
                    let turns = Turns::new(Some(plan.vcpus.saturating_mul(TURNS)));
                    let own = guest.own_memory();
                    let vm = Vm::new(number, guest.space(), memory, own, turns)?;
                    guests.push(guest);
                    vm
                }
            };
            vms.push(Arc::new(vm));
        }
        let per_adi = scenario.queues * scenario.vectors;
        let mut functions = Vec::new();
        for number in 0..plan.functions {
            let first = number * plan.adis_per_function;
            let adis = plan.adis_per_function.min(scenario.adis - first);
            // Room beside the ones in use: a freed index rests until it is quiet.
            let slots = (adis * per_adi + adis * per_adi / 8 + 64).min(1 << 16);
            let engines = (scenario.engines / plan.functions).max(1);
            let number = u16::try_from(number).unwrap_or(u16::MAX);
            functions.push(Function::start(&on, number, slots, engines, store(slots))?);
        }
        let mut world = Self {
            scenario,
            adis: Vec::new(),
            functions,
            vms,
            guests,
            on: ground.on,
            pump: Arc::default(),
            division,
            scratch: division.scratch(plan.lanes_per_vm),
            notes: plan.notes,
            host: on,
            allocated_in_all: 0,
        };
        for number in 0..world.scenario.adis {
            let function = (number / plan.adis_per_function) as usize;
            let adi = world.compose_adi(number, function, 0)?;
            world.adis.push(adi);
            progress(number + 1);
        }
        Ok(world)
    }

    /// Composes interface `number` of a function, for the `life`-th time. It does
    /// nothing until it is started.
    pub(super) fn compose_adi(
        &mut self,
        number: u32,
        function: usize,
        life: u64,
    ) -> Result<Adi, RunError> {
        // 20 bits; 0 is nobody's. The scenario has no more interfaces than that.
        let pasid = Pasid::new(number + 1).unwrap_or(NOBODY);
        let (queues, vectors) = (self.scenario.queues, self.scenario.vectors);
        let mut lanes = Vec::new();
        for queue in 0..queues {
            for vector in 0..vectors {
                let parts = self.parts(number, function, pasid, queue, vector, life);
                let Some(parts) = parts else { continue };
                let space = parts.vm.space.id;
                let lane = Lane::new(parts);
                let handled = Arc::clone(&lane);
                let request = Request::new(space).cookie(pasid);
                let Some(function) = self.functions.get(function) else {
                    continue;
                };
                let irq = function
                    .domain
                    .alloc(&request, move |taken| handled.take(taken))
                    .map_err(host("allocating an interrupt"))?;
                self.allocated_in_all += 1;
                lane.set_index(irq.index());
                function.stamps.forget(irq.index());
                if let Some((cpu, _)) = irq.location().map_err(host("locating it"))?.target {
                    lane.owner.moved_to(cpu.0);
                    lane.owner.settled();
                }
                lanes.push((lane, irq));
            }
        }
        Ok(Adi {
            number,
            function,
            pasid,
            lanes,
        })
    }

    fn parts(
        &self,
        adi: u32,
        function: usize,
        pasid: Pasid,
        queue: u32,
        vector: u32,
        life: u64,
    ) -> Option<Parts> {
        let Scenario {
            queues,
            vectors,
            vms,
            seed,
            ..
        } = self.scenario;
        let vm = Arc::clone(self.vms.get((adi % vms) as usize)?);
        let within = (adi / vms) * queues * vectors + queue * vectors + vector;
        let of = self.functions.get(function)?;
        let unique = u64::from(adi) << 32 | u64::from(queue * vectors + vector) << 20 | life;
        Some(Parts {
            adi,
            queue,
            vector,
            client: client(&vm, pasid),
            buffers: self.division.lane(vm.base, within),
            vm,
            work_queue: Function::<S>::work_queue(adi, queue),
            queues: of.queues.clone(),
            stamps: Arc::clone(&of.stamps),
            pump: Arc::clone(&self.pump),
            seed: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ unique,
        })
    }

    /// Every lane with its interrupt.
    pub(super) fn lanes(&self) -> impl Iterator<Item = &(Arc<Lane>, Irq)> {
        self.adis.iter().flat_map(|adi| &adi.lanes)
    }
}

/// The PASID of an interface that cannot have one; it owns nothing.
const NOBODY: Pasid = match Pasid::new(0) {
    Some(pasid) => pasid,
    None => panic!("0 has 20 bits"),
};

/// A submitter in a VM.
pub(super) fn client(vm: &Arc<Vm>, pasid: Pasid) -> Client {
    let memory: Arc<GuestMemoryMmap<()>> = Arc::new(vm.memory.clone());
    Client {
        pasid: Some(pasid),
        memory: memory as Arc<dyn AddressSpace>,
    }
}
