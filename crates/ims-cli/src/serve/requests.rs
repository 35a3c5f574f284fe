// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a request over the control socket does.

use ims_dsa::adi::ComposeError;
use ims_vfio_user::ListenError;

use super::devices::{DestroyError, Devices, NoDevice};
use super::error::ServeError;
use super::field::named;
use super::fields::INTERFACE;
use super::qemu;
use crate::control::message::{Answer, Create, Reason, Refusal, Request};
use crate::given::{Given, GivenError, Origin, Shown};

/// Carries out what is asked for.
pub(super) fn carry_out(devices: &Devices, request: Request) -> Answer {
    answer(devices, request).unwrap_or_else(Answer::Refused)
}

fn answer(devices: &Devices, request: Request) -> Result<Answer, Refusal> {
    Ok(match request {
        Request::Create(create) => self::create(devices, create)?,
        Request::Destroy { name } => {
            let quiet = devices.destroy(&name).map_err(not_destroyed)?;
            Answer::Destroyed { name, quiet }
        }
        Request::List => Answer::Devices {
            devices: devices.list(),
        },
        Request::Show { name } => {
            let device = devices.get(&name).map_err(no_device)?;
            Answer::Shown(qemu::shown(device))
        }
        Request::Revoke { name } => {
            let handles = devices.revoke(&name).map_err(no_device)?;
            Answer::Revoked { name, handles }
        }
        Request::Stat => Answer::Statistics(devices.statistics()),
    })
}

fn create(devices: &Devices, create: Create) -> Result<Answer, Refusal> {
    let mut config = devices.interface().clone();
    let asked = [
        ("vectors", create.vectors),
        ("queue-size", create.queue_size),
        ("priority", create.priority),
    ];
    for (name, value) in asked {
        let (Some(value), Some(field)) = (value, named(INTERFACE, name)) else {
            continue;
        };
        if !field.set(&mut config, Given::Whole(value.into())) {
            let error = GivenError::Value {
                origin: Origin::Device(create.name.to_string()),
                field: field.name,
                given: Shown::new(&value.to_string()),
                right: field.kind.to_string(),
            };
            return Err(refusal(Reason::OutOfRange, &error));
        }
    }
    let device = devices.create(create.name, config).map_err(|error| {
        let reason = reason(&error);
        refusal(reason, &error)
    })?;
    Ok(Answer::Created(qemu::shown(device)))
}

fn no_device(error: NoDevice) -> Refusal {
    refusal(Reason::NoSuchDevice, &error)
}

fn not_destroyed(error: DestroyError) -> Refusal {
    match error {
        DestroyError::NoDevice(error) => no_device(error),
        DestroyError::Physical(_) => refusal(Reason::WrongKind, &error),
    }
}

/// Why a device was not created, for programs.
fn reason(error: &ServeError) -> Reason {
    match error {
        ServeError::SameName(_) => Reason::NameTaken,
        ServeError::SocketPath { .. } => Reason::OutOfRange,
        ServeError::Compose { error, .. } => match error {
            ComposeError::NoPasid(_) => Reason::Exhausted,
            ComposeError::Range { .. } | ComposeError::Vectors { .. } => Reason::OutOfRange,
            _ => Reason::System,
        },
        ServeError::Listen {
            error: ListenError::InUse(_) | ListenError::NotASocket(_),
            ..
        } => Reason::NameTaken,
        _ => Reason::System,
    }
}

fn refusal(reason: Reason, error: &dyn std::error::Error) -> Refusal {
    Refusal {
        reason,
        message: error.to_string(),
    }
}
