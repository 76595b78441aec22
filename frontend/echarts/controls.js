// What some charts have besides: a zoom and a legend. It adds itself to the other part, which must be there first.
import { use } from "echarts/core";
import { install as DataZoomComponent } from "echarts/lib/component/dataZoom/install.js";
import { install as LegendComponent } from "echarts/lib/component/legend/install.js";

use([DataZoomComponent, LegendComponent]);
