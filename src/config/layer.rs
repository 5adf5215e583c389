//! The places that settings come from, one over the other, and where in them an error sits.
//!
//! Every value of the environment is text; it is read as what the default of its key is, so that a secret made of
//! digits stays text. Each layer remembers under which name the user wrote a key, for the error line.

use std::{collections::BTreeMap, ffi::OsString, fs, io, path::Path};

use figment::{
    Figment, Metadata, Profile, Provider,
    value::{Dict, Map, Num, Value},
};

use super::{Config, ConfigError, dotenv};

const DEFAULTS: &str = include_str!("../../config/default.toml");
const PREFIX: &str = "COLLABFLOW_";
/// The short names of keys, weakest first. Node took an empty one for unset, so these are; but an empty secret, or
/// address of a service, is refused: without it the server would be another one.
const SHORT: [(&str, &str); 9] = [
    ("HOST", "server.host"),
    ("PORT", "server.port"),
    ("JWT_SECRET", "auth.secret"),
    ("CLIENT_URL", "cors.origins"),
    ("MONGO_URI", "mongodb.uri"),
    ("MONGODB_URI", "mongodb.uri"),
    ("REDIS_URL", "redis.url"),
    ("DATA_DIR", "data.dir"),
    ("RUST_LOG", "log.filter"),
];
const SECRETS: [&str; 3] = ["auth.secret", "mongodb.uri", "redis.url"];

/// All places, the strongest last.
pub(super) struct Layers {
    defaults: Value,
    layers: Vec<Layer>,
}

/// One place.
#[derive(Clone, Default)]
struct Layer {
    values: Dict,
    /// Key paths, as the user wrote them.
    names: BTreeMap<String, String>,
}

impl Default for Layers {
    fn default() -> Self {
        let values: Dict = toml::from_str(DEFAULTS).expect("the compiled-in defaults are TOML");
        let base = Layer {
            values: values.clone(),
            names: BTreeMap::new(),
        };
        Self {
            defaults: values.into(),
            layers: vec![base],
        }
    }
}

impl Layers {
    pub(super) fn add_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let place = path.display();
        let text = fs::read_to_string(path)
            .map_err(|error| ConfigError::new(format!("--config {place}: {error}")))?;
        let values: Dict = toml::from_str(&text).map_err(|error: toml::de::Error| {
            let line = error
                .span()
                .map_or(1, |span| text[..span.start].lines().count().max(1));
            let message = error.message().replace('\n', ", ");
            ConfigError::new(format!("--config {place}, line {line}: {message}"))
        })?;
        let mut layer = Layer::default();
        name_all(&values, "", &mut |key| {
            layer
                .names
                .insert(key.to_owned(), format!("{key} in {place}"));
        });
        layer.values = values;
        self.layers.push(layer);
        Ok(())
    }

    pub(super) fn add_dotenv(&mut self, path: &Path) -> Result<(), ConfigError> {
        match fs::read_to_string(path) {
            Ok(text) => {
                let place = format!(" in {}", path.display());
                self.add_variables(&dotenv::parse(&text).into_iter().collect(), &place)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(ConfigError::new(format!("{}: {error}", path.display()))),
        }
    }

    pub(super) fn add_environment(
        &mut self,
        variables: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<(), ConfigError> {
        let mut texts = BTreeMap::new();
        for (name, value) in variables {
            let Ok(name) = name.into_string() else {
                continue;
            };
            let is_ours = name.starts_with(PREFIX) || SHORT.iter().any(|(short, _)| *short == name);
            if is_ours {
                let text = value
                    .into_string()
                    .map_err(|_| ConfigError::value(&name, "what it holds", "UTF-8 text"))?;
                texts.insert(name, text);
            }
        }
        self.add_variables(&texts, "")
    }

    fn add_variables(
        &mut self,
        variables: &BTreeMap<String, String>,
        place: &str,
    ) -> Result<(), ConfigError> {
        let mut layer = Layer::default();
        for (name, key) in SHORT {
            if let Some(text) = variables.get(name)
                && (!text.is_empty() || SECRETS.contains(&key))
            {
                layer.set(
                    key,
                    self.read_as_default(key, text),
                    format!("{name}{place}"),
                );
            }
        }
        for (name, text) in variables {
            if let Some(path) = name.strip_prefix(PREFIX) {
                let key = path.to_ascii_lowercase().replace("__", ".");
                if key.split('.').any(str::is_empty) {
                    return Err(ConfigError::new(format!(
                        "{name}{place}: there is no such key; one is written as in COLLABFLOW_SERVER__PORT"
                    )));
                }
                layer.set(
                    &key,
                    self.read_as_default(&key, text),
                    format!("{name}{place}"),
                );
            }
        }
        self.layers.push(layer);
        Ok(())
    }

    /// A variable's text, as the kind of value that the key's default is. What cannot be read so stays text, and is
    /// refused as such.
    fn read_as_default(&self, key: &str, text: &str) -> Value {
        let as_text = || Value::from(text);
        match self.defaults.find_ref(key) {
            Some(Value::Num(..)) => {
                let digits = text.trim().replace('_', "");
                digits
                    .parse()
                    .map_or_else(|_| as_text(), |n: i64| Value::from(Num::from(n)))
            }
            Some(Value::Bool(..)) => text
                .trim()
                .parse()
                .map_or_else(|_| as_text(), |b: bool| b.into()),
            Some(Value::Array(..)) => {
                let entries = text
                    .split(',')
                    .map(str::trim)
                    .filter(|entry| !entry.is_empty());
                Value::from(entries.collect::<Vec<_>>())
            }
            _ => as_text(),
        }
    }

    pub(super) fn extract(self) -> Result<Config, ConfigError> {
        let figment = self
            .layers
            .iter()
            .cloned()
            .fold(Figment::new(), Figment::merge);
        figment.extract().map_err(|error: figment::Error| {
            let mut key = error.path.join(".");
            if let figment::error::Kind::UnknownField(field, _) = &error.kind
                && error.path.last() != Some(field)
            {
                key = [&key, field.as_str()]
                    .into_iter()
                    .filter(|part| !part.is_empty())
                    .collect::<Vec<_>>()
                    .join(".");
            }
            let is_secret = SECRETS.iter().any(|secret| key.starts_with(secret));
            ConfigError::of(&error.kind, &self.as_written(&key), is_secret)
        })
    }

    /// The key as the strongest layer that has it, or an end of it, names it.
    fn as_written(&self, key: &str) -> String {
        let mut prefix = key;
        loop {
            let written = self
                .layers
                .iter()
                .rev()
                .find_map(|layer| layer.names.get(prefix));
            match (written, prefix.rsplit_once('.')) {
                (Some(name), _) => return name.clone(),
                (None, Some((shorter, _))) => prefix = shorter,
                (None, None) => return key.to_owned(),
            }
        }
    }
}

impl Layer {
    fn set(&mut self, key: &str, value: Value, name: String) {
        let nested = figment::util::nest(key, value)
            .into_dict()
            .unwrap_or_default();
        merge(&mut self.values, nested);
        self.names.insert(key.to_owned(), name);
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named("settings")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

fn merge(into: &mut Dict, from: Dict) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Dict(_, old)), Value::Dict(_, new)) => merge(old, new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

fn name_all(values: &Dict, prefix: &str, name: &mut impl FnMut(&str)) {
    for (key, value) in values {
        let path = format!("{prefix}{key}");
        name(&path);
        if let Value::Dict(_, below) = value {
            name_all(below, &format!("{path}."), name);
        }
    }
}
