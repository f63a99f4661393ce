# Home Assistant serves voluptuous from probatio: these are its types.
from probatio import *
