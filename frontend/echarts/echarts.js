// The parts of ECharts that every chart is drawn with, as the global `echarts` that the dashboard calls.
import * as core from "echarts/core";
import { BarChart, LineChart, PieChart } from "echarts/charts";
// Not from "echarts/components": all that is exported there would count as shared with the other part.
import { install as AriaComponent } from "echarts/lib/component/aria/install.js";
import { install as GridComponent } from "echarts/lib/component/grid/install.js";
import { install as TooltipComponent } from "echarts/lib/component/tooltip/install.js";
import { LabelLayout } from "echarts/features";
import { CanvasRenderer } from "echarts/renderers";

core.use([
  AriaComponent,
  BarChart,
  CanvasRenderer,
  GridComponent,
  LabelLayout,
  LineChart,
  PieChart,
  TooltipComponent,
]);

// Only what is called: the whole namespace would defeat the tree shaking.
window.echarts = { init: core.init, getInstanceByDom: core.getInstanceByDom };
