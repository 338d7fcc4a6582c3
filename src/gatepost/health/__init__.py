"""What one process believes, as people and programs read it. Of the others it knows `base`."""

from gatepost.base import TargetStatus as TargetStatus
from gatepost.health.figures import Figures as Figures
from gatepost.health.finding import Finding as Finding
from gatepost.health.health import UNSEEN_FACTOR as UNSEEN_FACTOR
from gatepost.health.health import Answer as Answer
from gatepost.health.health import DatabaseStatus as DatabaseStatus
from gatepost.health.health import LookupCounts as LookupCounts
from gatepost.health.health import MemoryStatus as MemoryStatus
from gatepost.health.health import RedisStatus as RedisStatus
from gatepost.health.health import ServingStatus as ServingStatus
from gatepost.health.health import Status as Status
from gatepost.health.health import WorkerAnswers as WorkerAnswers
from gatepost.health.health import WorkerStatus as WorkerStatus
from gatepost.health.roles import GrownRole as GrownRole
