// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What `ims serve` is told on its command line.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use ims_dsa::adi::AdiConfig;
use ims_dsa::front::Parameters;

use super::error::ServeError;
use super::field::{Field, named};
use super::fields::{FUNCTION, INTERFACE, PARENT, ParentPlan};
use super::file;
use super::plan::{Plan, Planned, Shape};
use crate::control::{Name, Place};
use crate::given::{Given, GivenError, Origin, Shown};

/// What virtual devices are called that nobody named.
const VIRTUAL: &str = "vdsa";
/// What a physical function is called that nobody named.
const PHYSICAL: &str = "dsa";

/// What `ims serve` is told.
///
/// Without a file it serves one virtual DSA, or what --physical and --compose say.
#[derive(Debug, Default, Args)]
pub(crate) struct ServeArgs {
    /// A file that states devices and where they are served
    #[arg(value_name = "CONFIG.toml", conflicts_with_all = ["socket", "physical", "compose", "dir"])]
    pub(crate) file: Option<PathBuf>,
    /// Serve one device at this path; its name is the file's, without ending
    #[arg(long, value_name = "PATH", conflicts_with_all = ["compose", "dir"])]
    pub(crate) socket: Option<PathBuf>,
    /// Serve a physical function of its own instead of a virtual device
    #[arg(long, conflicts_with = "compose")]
    pub(crate) physical: bool,
    /// Compose this many virtual devices vdsa0, vdsa1, and so on; 0 waits for
    /// `ims adi create`
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(0..=16_128))]
    pub(crate) compose: Option<u32>,
    /// Where sockets are made, each as NAME.sock
    /// [default: $XDG_RUNTIME_DIR/ims, or /tmp/ims-UID]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) control: ControlFlag,
    #[command(flatten)]
    pub(crate) fields: FieldFlags,
    /// Print what is served as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where the control socket is.
#[derive(Debug, Default, Args)]
pub(crate) struct ControlFlag {
    /// The control socket [default: $XDG_RUNTIME_DIR/ims/control, or
    /// /tmp/ims-UID/control]
    #[arg(long, value_name = "PATH", global = true)]
    pub(crate) control: Option<PathBuf>,
}

impl ControlFlag {
    /// Where it is.
    pub(crate) fn path(&self) -> PathBuf {
        let given = self.control.clone();
        given.unwrap_or_else(|| Place::of_user().control())
    }
}

/// One flag for each field of a device, with the text it was given.
#[derive(Debug, Default)]
pub(crate) struct FieldFlags {
    given: Vec<(&'static str, String)>,
}

impl ServeArgs {
    /// What is to be served.
    ///
    /// # Errors
    /// [`ServeError`], for the first thing that is wrong.
    pub(crate) fn plan(&self) -> Result<Plan, ServeError> {
        let mut plan = Plan::new(&Place::of_user());
        if let Some(file) = &self.file {
            if let Some((flag, _)) = self.fields.given.first() {
                let why = "a file states what its devices are: write it there";
                return Err(ServeError::Flag { flag, why });
            }
            file::read(file, &mut plan)?;
        } else {
            self.devices(&mut plan)?;
        }
        if let Some(control) = &self.control.control {
            plan.control.clone_from(control);
        }
        plan.complete()?;
        Ok(plan)
    }

    fn devices(&self, plan: &mut Plan) -> Result<(), ServeError> {
        if let Some(directory) = &self.dir {
            plan.directory.clone_from(directory);
        }
        let mut function = Parameters::default();
        for (flag, text) in &self.fields.given {
            self.set(flag, text, &mut function, plan)?;
        }
        let interface = plan.interface.clone();
        if let Some(count) = self.compose {
            return plan.compose(VIRTUAL, count, &interface);
        }
        let (prefix, shape) = if self.physical {
            (PHYSICAL, Shape::Physical(Box::new(function)))
        } else {
            (VIRTUAL, Shape::Virtual(interface))
        };
        let stem = self.socket.as_deref().and_then(Path::file_stem);
        let stem = stem.and_then(|stem| stem.to_str()?.parse().ok());
        let name = stem.map_or_else(|| Name::numbered(prefix, 0), Ok);
        let name = name.map_err(|error| ServeError::Name {
            name: prefix.to_owned(),
            error,
        })?;
        let socket = self.socket.clone();
        plan.devices.push(Planned {
            name,
            socket,
            shape,
        });
        Ok(())
    }

    /// Gives a flag to what it is for.
    fn set(
        &self,
        flag: &'static str,
        text: &str,
        function: &mut Parameters,
        plan: &mut Plan,
    ) -> Result<(), ServeError> {
        let given = Given::flag(text);
        let why = if self.physical {
            if let Some(field) = named(FUNCTION, flag) {
                return taken(field, function, given, text);
            }
            "not for a physical function; leave out --physical"
        } else {
            if let Some(field) = named(INTERFACE, flag) {
                return taken(field, &mut plan.interface, given, text);
            }
            if let Some(field) = named(PARENT, flag) {
                return taken(field, &mut plan.parent, given, text);
            }
            "only for a physical function; add --physical"
        };
        Err(ServeError::Flag { flag, why })
    }
}

fn taken<T>(
    field: &Field<T>,
    config: &mut T,
    given: Given<'_>,
    text: &str,
) -> Result<(), ServeError> {
    if field.set(config, given) {
        return Ok(());
    }
    Err(GivenError::Value {
        origin: Origin::Flag(field.name),
        field: field.name,
        given: Shown::new(text),
        right: field.kind.to_string(),
    }
    .into())
}

/// Every flag once, with its help for each kind of device that has it.
fn flags() -> Vec<(&'static str, String)> {
    let mut flags = Vec::new();
    add(&mut flags, "virtual", INTERFACE, &AdiConfig::default());
    add(&mut flags, "virtual", PARENT, &ParentPlan::default());
    add(&mut flags, "--physical", FUNCTION, &Parameters::default());
    flags
}

/// Adds the help of `fields` for the kind of device `of`, whose defaults are `config`'s.
fn add<T>(flags: &mut Vec<(&'static str, String)>, of: &str, fields: &[Field<T>], config: &T) {
    for field in fields {
        let (about, kind, default) = (field.about, field.kind, field.text(config));
        let help = format!("{of}: {about}: {kind} [default: {default}]");
        match flags.iter_mut().find(|(known, _)| *known == field.name) {
            Some((_, known)) => *known = format!("{known}\n{help}"),
            None => flags.push((field.name, help)),
        }
    }
}

impl Args for FieldFlags {
    fn augment_args(command: Command) -> Command {
        command.args(flags().into_iter().map(|(name, help)| {
            // A negative number is told what would be right, not taken for a flag.
            Arg::new(name)
                .long(name)
                .value_name("VALUE")
                .allow_negative_numbers(true)
                .help(help)
        }))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for FieldFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        let given = |(name, _): (&'static str, String)| {
            let text = matches.get_one::<String>(name)?;
            Some((name, text.clone()))
        };
        self.given.extend(flags().into_iter().filter_map(given));
        Ok(())
    }
}
