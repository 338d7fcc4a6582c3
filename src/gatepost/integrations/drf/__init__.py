"""Django REST framework with drf-spectacular: `postprocessing_hook(keys)` has its document tell of keys."""

from gatepost.integrations.drf.hook import postprocessing_hook as postprocessing_hook
